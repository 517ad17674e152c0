"""The form for a run's settings, and the view of a run while it trains."""

import asyncio
from contextlib import suppress
from dataclasses import fields
from datetime import timedelta
from html import escape
from pathlib import Path

import ipywidgets as widgets

from utils import artifacts, launch, metrics
from utils.config import RunConfig
from utils.errors import UserError

BASIC = ("num_train_epochs", "learning_rate", "train_batch_size", "max_length", "max_train_samples", "dtype", "seed")
# Decided by the notebook's parameters.
FIXED = ("preset", "pairs", "model_name_or_path", "revision")
POLL_SECONDS = 0.5


class SettingsForm(widgets.VBox):
    """A field for every setting of a `RunConfig`, each with a note beside it: what it is, or what is wrong with it.

    `config` is what the fields say now. The preset, the pairs and the model are the notebook's parameters and are not
    shown.
    """

    def __init__(self, config: RunConfig):
        self._start = config
        self.settings = {setting.name: setting for setting in fields(config) if setting.name not in FIXED}
        self.inputs = {name: _input(setting, getattr(config, name)) for name, setting in self.settings.items()}
        self.notes = {name: widgets.HTML(layout=widgets.Layout(flex="1 1 0", min_width="0")) for name in self.settings}
        for field in self.inputs.values():
            field.observe(self._check, "value")
        self._check()
        more = [name for name in self.settings if name not in BASIC]
        folded = widgets.Accordion([widgets.VBox([self._row(name) for name in more])], titles=("More settings",))
        super().__init__([*(self._row(name) for name in BASIC), folded])

    def _row(self, name: str) -> widgets.HBox:
        unit = widgets.Label(self.settings[name].metadata["unit"], layout=widgets.Layout(flex="0 0 4.5em"))
        return widgets.HBox([self.inputs[name], unit, self.notes[name]])

    @property
    def config(self) -> RunConfig:
        """The settings as they stand; raises `UserError` when one is outside its limits."""
        return self._start.with_changes(**{name: _value(field.value) for name, field in self.inputs.items()})

    def _help(self, name: str) -> str:
        setting, published = self.settings[name].metadata, getattr(RunConfig(), name)
        source = f" <i>({setting['recipe']})</i>" if setting["recipe"] else ""
        if source and published != getattr(self._start, name):
            source = f" The recipe has {_short(published)}{source}."
        return _note(escape(setting["help"]) + source)

    def _check(self, change=None) -> None:
        for name, note in self.notes.items():
            note.value = self._help(name)
        try:
            self.config  # noqa: B018 (what it raises is what is wanted)
        except UserError as error:
            # Every message of a RunConfig names the field it is about before any other.
            name = next(word for word in str(error).split() if word in self.notes)
            color = "color: var(--jp-error-color1, #b00020)"
            self.notes[name].value = _note(f'<b role="alert" style="{color}">{escape(str(error))}</b>')


def _note(html: str) -> str:
    return f'<div style="line-height: 1.4; padding: 4px 0">{html}</div>'


def _short(value) -> str:
    """A value as one would type it: 2e-5, not 2e-05 or 0.00002."""
    return repr(value).removesuffix(".0").replace("e-0", "e-") if isinstance(value, float) else str(value)


def _value(typed):
    """The number that was typed, or the text when it is none: `RunConfig` says what is wrong with it."""
    for kind in (int, float) if isinstance(typed, str) else ():
        with suppress(ValueError):
            return kind(typed)
    return typed


def _input(setting, value) -> widgets.Widget:
    """The widget for one field of `RunConfig`, by its type."""
    layout = widgets.Layout(width="25em", flex="0 0 auto")
    look = dict(description=setting.name, style={"description_width": "13em"}, layout=layout)
    if setting.metadata["choices"]:
        return widgets.Dropdown(options=setting.metadata["choices"], value=value, **look)
    if setting.type is bool:
        return widgets.Checkbox(value, **look)
    # Jupyter's number fields show 1.5 and pass on 1.
    return widgets.Text(_short(value), continuous_update=False, **look)


def status(run_dir: Path) -> str:
    """One line of plain text: the run's state, how far it is, its newest losses and, while it runs, the time left."""
    records, state = metrics.read(run_dir), launch.state(run_dir)
    train, evals = metrics.train_lines(records), metrics.eval_lines(records)
    parts = [state]
    if train:
        parts += [f"update {train[-1]['step']} of {num_updates(run_dir)}", f"training loss {train[-1]['loss']:.3f}"]
    if evals:
        parts.append(f"validation loss {evals[-1]['eval_loss']:.3f}")
    if train:
        parts.append(f"{train[-1]['tokens_per_second']:,.0f} tokens/s")
    if train and state == "running":
        seconds = train[-1]["seconds"] / train[-1]["step"] * (num_updates(run_dir) - train[-1]["step"])
        parts.append(f"about {timedelta(seconds=round(seconds))} left")
    return " · ".join(parts)


def num_updates(run_dir: Path) -> int:
    """The updates of the whole run, as it wrote them down when it began; 0 before that."""
    return (artifacts.read_manifest(run_dir) or {"facts": {"num_updates": 0}})["facts"]["num_updates"]


async def watch(run_dir: Path) -> None:
    """Show a run until it ends, with a button to stop it; it goes on when this is interrupted, and is found again.

    Raises `UserError` with the reason when the run failed.
    """
    from IPython.display import display

    bar = widgets.IntProgress(description="Training", layout=widgets.Layout(flex="1 1 0"))
    stop = widgets.Button(description="Stop", icon="stop", tooltip="Save a checkpoint after this update, and end")
    stop.on_click(lambda _: launch.stop(run_dir))
    line = widgets.HTML()
    display(widgets.VBox([widgets.HBox([bar, stop]), line]))
    while True:
        running = launch.state(run_dir) == "running"  # asked first: the last lines are shown too
        train = metrics.train_lines(metrics.read(run_dir))
        bar.max, bar.value = max(1, num_updates(run_dir)), train[-1]["step"] if train else 0
        is_stopping = (run_dir / "STOP").exists()
        stop.disabled = is_stopping or not running
        line.value = escape(status(run_dir) + (" · stopping" if is_stopping and running else ""))
        if not running:
            break
        await asyncio.sleep(POLL_SECONDS)
    if launch.state(run_dir) == "failed":
        raise UserError(f"the run failed: {launch.failure(run_dir)}")
