"""The form for a run's settings, and the view of a run while it trains."""

import asyncio
from dataclasses import fields
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
    """A field for every setting of a `RunConfig`; `config` is what they say now, `message` what is wrong with them.

    The preset, the pairs and the model are the notebook's parameters and are not shown.
    """

    def __init__(self, config: RunConfig):
        self._start = config
        self.settings = {setting.name: setting for setting in fields(config) if setting.name not in FIXED}
        self.inputs = {name: _input(setting, getattr(config, name)) for name, setting in self.settings.items()}
        self.message = widgets.HTML()
        for field in self.inputs.values():
            field.observe(self._check, "value")
        more = [name for name in self.settings if name not in BASIC]
        folded = widgets.Accordion([widgets.VBox([self._row(name) for name in more])], titles=("More settings",))
        super().__init__([*(self._row(name) for name in BASIC), folded, self.message])

    def _row(self, name: str) -> widgets.HBox:
        setting = self.settings[name].metadata
        unit = f"{setting['unit']}. " if setting["unit"] else ""
        source = f" <i>({setting['recipe']})</i>" if setting["recipe"] else ""
        published = getattr(RunConfig(), name)
        differs = published != getattr(self._start, name) and setting["recipe"]
        recipe = f" The recipe has {escape(str(published))}{source}." if differs else source
        return widgets.HBox([self.inputs[name], widgets.HTML(escape(unit + setting["help"]) + recipe)])

    @property
    def config(self) -> RunConfig:
        """The settings as they stand; raises `UserError` when one is outside its limits."""
        return self._start.with_changes(**{name: field.value for name, field in self.inputs.items()})

    def _check(self, change) -> None:
        try:
            self.config  # noqa: B018 (its setter of errors is what is wanted)
            self.message.value = ""
        except UserError as error:
            self.message.value = (
                f'<b role="alert" style="color: var(--jp-error-color1, #b00020)">{escape(str(error))}</b>'
            )


def _input(setting, value) -> widgets.Widget:
    """The widget for one field of `RunConfig`, by its type."""
    look = dict(description=setting.name, style={"description_width": "13em"}, layout=widgets.Layout(width="25em"))
    if setting.metadata["choices"]:
        return widgets.Dropdown(options=setting.metadata["choices"], value=value, **look)
    by_type = {bool: widgets.Checkbox, int: widgets.IntText, float: widgets.FloatText, str: widgets.Text}
    return by_type[setting.type](value=value, **look)


def status(run_dir: Path) -> str:
    """One line of plain text: the run's state, how far it is, and its newest losses."""
    records = metrics.read(run_dir)
    train, evals = metrics.train_lines(records), metrics.eval_lines(records)
    parts = [launch.state(run_dir)]
    if train:
        parts += [f"update {train[-1]['step']} of {num_updates(run_dir)}", f"training loss {train[-1]['loss']:.3f}"]
    if evals:
        parts.append(f"validation loss {evals[-1]['eval_loss']:.3f}")
    if train:
        parts.append(f"{train[-1]['tokens_per_second']:,.0f} tokens/s")
    return " · ".join(parts)


def num_updates(run_dir: Path) -> int:
    """The updates of the whole run, as it wrote them down when it began; 0 before that."""
    return (artifacts.read_manifest(run_dir) or {"facts": {"num_updates": 0}})["facts"]["num_updates"]


async def watch(run_dir: Path) -> str:
    """Show a run until it ends, and return its state; the run goes on when this is interrupted, and is found again.

    Raises `UserError` with the reason when the run failed.
    """
    from IPython.display import display

    bar = widgets.IntProgress(description="Training", layout=widgets.Layout(width="100%"))
    line = widgets.HTML()
    display(widgets.VBox([bar, line]))
    while True:
        running = launch.state(run_dir) == "running"  # asked first: the last lines are shown too
        train = metrics.train_lines(metrics.read(run_dir))
        bar.max, bar.value = max(1, num_updates(run_dir)), train[-1]["step"] if train else 0
        line.value = escape(status(run_dir))
        if not running:
            break
        await asyncio.sleep(POLL_SECONDS)
    if launch.state(run_dir) == "failed":
        raise UserError(f"the run failed: {launch.failure(run_dir)}")
    return launch.state(run_dir)
