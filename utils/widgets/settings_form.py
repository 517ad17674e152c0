"""The form for a run's settings: every field of `RunConfig` with help and errors."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from utils import files
from utils.advice import ADVICE
from utils.choices import offered
from utils.config import ASSUMED, PRESETS, RunConfig
from utils.data.sources import GPTEACHER, PYTHON_BASICS, PYTHON_STDLIB
from utils.errors import UserError
from utils.model import loading
from utils.sweeps import space
from utils.widgets.html import LINE, Headers, alert, connection_note, escape, guarded, muted

FIRST = (
    *("preset", "pairs", "model_name_or_path", "num_train_epochs", "learning_rate", "train_batch_size"),
    *("max_length", "max_train_samples", "dtype", "seed"),
)
FOLDED = {
    "Data and model": ("template", "revision", "max_eval_samples"),
    "Optimization": (
        *("lr_scheduler_type", "warmup_steps", "weight_decay", "max_grad_norm", "optim"),
        *("adam_beta1", "adam_beta2", "adam_epsilon", "early_stopping_patience", "lora_rank", "lora_alpha"),
    ),
    "Memory and processes": (
        *("num_processes", "tokens_per_device", "activation_checkpointing", "reshard_after_forward", "cpu_offload"),
        *("max_restarts", "torch_compile"),
    ),
    "Evaluations, samples and checkpoints": (
        *("eval_steps", "num_samples", "eval_tasks", "save_steps", "save_total_limit", "report_to"),
    ),
}
DRAFT = "draft.json"
# The hub's client tries for half a minute, in which the page shows this and the kernel nothing else.
ASKING = (
    f'<p role="status" style="{LINE}">Asking the hub for the model. Without a network this takes half a minute…</p>'
)
SEVERAL = "Several values make a sweep. It is started at the end of this notebook."
QUIET = "var(--jp-content-font-color2, gray)"


class SettingsForm(widgets.VBox):
    """A field for every setting; `config` are the current settings, and `on_change` calls back on every change.

    Fields of numbers take several values too, a sweep: `several` has them as typed, and `config` the first of each.

    Unless `keep=False`, changes are saved in `data_dir/runs/draft.json` and restored when the form is made again from
    the same settings, as after a kernel restart. Not covered: whether model and pairs exist.
    """

    def __init__(self, config: RunConfig, data_dir: Path, keep: bool = True):
        self._start, self._data_dir, self._keep = config, Path(data_dir), keep
        self._base = config  # settings that differ from these are marked as changed
        self._listeners: list[Callable[[RunConfig | None], None]] = []
        self.settings = {setting.name: setting for setting in fields(config)}
        self.inputs: dict[str, Any] = {
            name: _input(setting, getattr(config, name)) for name, setting in self.settings.items()
        }
        self.notes = {
            name: widgets.HTML(layout=widgets.Layout(flex="1 1 20em", min_width="0")) for name in self.settings
        }
        self.message = widgets.HTML()
        for field in self.inputs.values():
            field.observe(self._changed, "value")
        folded = [widgets.VBox([self._row(name) for name in names]) for names in FOLDED.values()]
        self.sections = widgets.Accordion(folded, titles=tuple(FOLDED))
        super().__init__(
            [connection_note(), Headers(), *map(self._row, FIRST), self.sections, self._files(), self.message]
        )
        with suppress(FileNotFoundError, UserError):  # no draft, or one of another version
            draft = files.read_json(self._data_dir / "runs" / DRAFT, {"start": {}, "config": {}, "several": {}})
            is_changed = draft["config"] != vars(config) or draft["several"]
            if keep and draft["start"] in ({}, vars(config)) and is_changed:
                self.show(RunConfig().with_changes(**draft["config"]), config, draft["several"])
                self.message.value = f'<p style="{LINE}">These are the settings from your last visit.</p>'
        self._check()

    @property
    def config(self) -> RunConfig:
        """The current settings, paths resolved; raises `UserError` when one is outside its limits."""
        several = self.several
        values = {name: self._value(name) for name in self.inputs}
        values |= {name: space.first(name, text) for name, text in several.items()}
        config = RunConfig().with_changes(**values).resolved()
        space.combinations(config, several)  # only for its errors
        return config

    @property
    def several(self) -> dict[str, str]:
        """The list or range of each field that has several values."""
        return space.several({name: field.value for name, field in self.inputs.items()})

    def offer(self, sweep: str) -> None:
        """Show beside every field with several values what they make."""
        for name in self.several:
            self.notes[name].value = self._note(name, sweep)

    def show(self, config: RunConfig, base: RunConfig | None = None, several: Mapping[str, str] | None = None) -> None:
        """Set every field; settings that differ from `base` are marked as changed."""
        self._base = base or config
        with muted(self._changed, self.inputs.values()):
            for name, field in self.inputs.items():
                value = getattr(config, name)
                if isinstance(field, widgets.Dropdown) and value not in field.options:  # the preset of an older run
                    field.options = (*field.options, value)
                text = (several or {}).get(name, _short(value))
                field.value = value if isinstance(field, widgets.Dropdown | widgets.Checkbox) else text
        self._accept()

    def on_change(self, listener: Callable[[RunConfig | None], None]) -> None:
        """Call `listener` with the settings, now and after each change; its `UserError`s are shown.

        While a field holds a value that is not allowed, the listener gets None.
        """
        self._listeners.append(listener)
        self._accept()

    def _value(self, name: str) -> Any:
        """The typed number, or the text if it is not a number; `RunConfig` reports errors."""
        typed = self.inputs[name].value
        for kind in (int, float) if isinstance(typed, str) and self.settings[name].type is not str else ():
            with suppress(ValueError):
                return kind(typed)
        return typed

    def _row(self, name: str) -> widgets.HBox:
        unit = widgets.Label(self.settings[name].metadata["unit"], layout=widgets.Layout(flex="0 0 5em"))
        row = widgets.Layout(flex_flow="row wrap")  # in a narrow window the help is below its field
        return widgets.HBox([widgets.HBox([self.inputs[name], unit]), self.notes[name]], layout=row)

    def _files(self) -> widgets.Box:
        """The row that loads and saves the settings as a `config.json`."""
        look = dict(layout=widgets.Layout(width="34em"), style={"description_width": "14em"})
        self.path = widgets.Text("", placeholder="a path to a config.json", description="settings file", **look)
        self.load_button, self.save_button = (widgets.Button(description=what) for what in ("Load", "Save"))
        self.reset_button = widgets.Button(
            description="Back to the preset", icon="undo", layout=widgets.Layout(width="auto")
        )
        self.load_button.on_click(guarded(self._load, self.message))
        self.save_button.on_click(guarded(self._save, self.message))
        self.reset_button.on_click(guarded(lambda: self.show(self._start), self.message))
        row = [self.path, self.load_button, self.save_button, self.reset_button]
        return widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap", margin="8px 0 0 0"))

    def _named_file(self) -> Path:
        if not self.path.value.strip():
            raise UserError(f"Type the path of a settings file, such as {self._data_dir / 'my-run.json'}.")
        return Path(self.path.value.strip()).expanduser()

    def _load(self) -> None:
        path = self._named_file()
        self.show(RunConfig.load(path))
        self.message.value = f'<p style="{LINE}">Loaded from {escape(str(path))}.</p>'

    def _save(self) -> None:
        path, config = self._named_file(), self.config
        if self.several:
            raise UserError(f"A settings file has one value of {' and '.join(self.several)}: type one, then save.")
        if path.exists():
            raise UserError(f"{path} exists and is not overwritten. Choose another name, or move it away.")
        files.write_json(path, vars(config), files.PRIVATE)
        self.message.value = f'<p style="{LINE}">Saved as {escape(str(path))}.</p>'

    def _changed(self, change) -> None:
        if change["owner"] is self.inputs["preset"] and change["new"] in PRESETS:
            self.show(RunConfig.from_preset(change["new"]))
        else:
            self._accept()

    def _accept(self) -> None:
        self.message.value, note = "", self.notes["model_name_or_path"]
        config = self.config if self._check() else None
        is_asking = config and self._listeners and not Path(loading.locate(config.model_name_or_path)).is_dir()
        known = note.value
        note.value = waiting = ASKING if is_asking else known
        self._notify(config)
        if note.value == waiting:  # else it is an error
            note.value = known

    def _notify(self, config: RunConfig | None) -> None:
        try:
            for listener in self._listeners:
                listener(config)
            if config and self._keep:
                keep_draft(self._data_dir, config, self._start, self.several)
        except UserError as error:  # a limit of the model, for example
            self._refuse(error)
            if config:
                self._notify(None)

    def _check(self) -> bool:
        """Whether the settings are valid; otherwise the field shows the error."""
        for name, note in self.notes.items():
            note.value = self._note(name)
        try:
            self.config  # noqa: B018 (only for its error)
            return True
        except UserError as error:
            self._refuse(error)
            return False

    def _refuse(self, error: UserError) -> None:
        """Show an error beside its field, and open the section that the field is in."""
        (self.notes[error.field] if error.field else self.message).value = alert(str(error))
        for index, names in enumerate(FOLDED.values()):
            if error.field in names:
                self.sections.selected_index = index

    def _note(self, name: str, sweep: str = SEVERAL) -> str:
        """Help text, the value before a change, and the recipe's value where it differs; `sweep` for several values."""
        setting, value = self.settings[name].metadata, self._value(name)
        start, published = getattr(self._base, name), getattr(RunConfig(), name)
        notes = [] if value == start else [f"<b>Changed</b>, was {escape(_short(start) or 'empty')}."]
        differing = "" if value == published else f": {escape(_short(published) or 'empty')}"
        if setting["recipe"] == ASSUMED:
            notes.append(f"stanford_alpaca's value{differing} <i>({ASSUMED})</i>; the recipe gives none.")
        elif setting["recipe"]:
            notes.append(f"The recipe's value{differing} <i>({escape(setting['recipe'])})</i>.")
        elif name != "preset" and differing:
            notes.append(f"The workbook's default{differing}.")
        offer = f'<b role="status" style="display: block">{escape(sweep)}</b>' if name in self.several else ""
        text = f'{offer}{_marked(setting["help"])} <span style="color: {QUIET}">{" ".join(notes)}</span>'
        advice = f'<summary aria-label="{name}: which value?">Which value?</summary>{_marked(ADVICE[name])}'
        style = f"{LINE}line-height: 1.4; padding: 4px 0"
        return f'<div style="{style}">{text}<details style="cursor: pointer">{advice}</details></div>'


def _marked(text: str) -> str:
    """A text as HTML, with `code` where it has backticks."""
    return re.sub("`(.*?)`", r"<code>\1</code>", escape(text))


def keep_draft(
    data_dir: Path, config: RunConfig, start: RunConfig | None = None, several: Mapping[str, str] | None = None
) -> None:
    """Save `config` for the next form, or with `start` for the next one that is made from these settings."""
    path = Path(data_dir) / "runs" / DRAFT
    files.make_parents(path)
    draft = {"start": vars(start) if start else {}, "config": vars(config), "several": several or {}}
    files.write_json(path, draft)


def _short(value: Any) -> str:
    """A value as typed: 2e-5, not 2e-05 or 0.00002."""
    return repr(value).removesuffix(".0").replace("e-0", "e-") if isinstance(value, float) else str(value)


def _input(setting, value: Any) -> widgets.Widget:
    """The widget for one field of `RunConfig`, by its name or its type."""
    layout = widgets.Layout(width="27em", max_width="100%", flex="0 1 auto")
    look = dict(description=setting.name, style={"description_width": "14em"}, layout=layout)
    choices = setting.metadata["choices"]
    if setting.name == "preset":  # an older run may have another one
        choices = tuple(dict.fromkeys((*offered(), value)))
    if choices:
        return widgets.Dropdown(options=choices, value=value, **look)
    if setting.type is bool:
        return widgets.Checkbox(value, **look)
    if setting.name == "pairs":
        return widgets.Combobox(
            value=value, options=(PYTHON_BASICS, PYTHON_STDLIB, GPTEACHER), continuous_update=False, **look
        )
    # Jupyter's number fields would show 1.5 and return 1.
    return widgets.Text(_short(value), continuous_update=False, **look)
