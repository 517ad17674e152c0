"""The form for a run's settings: every field of `RunConfig` with help and errors."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from utils import files
from utils.config import ASSUMED, PRESETS, RunConfig
from utils.data.sources import GPTEACHER, PYTHON_BASICS, PYTHON_STDLIB
from utils.errors import UserError
from utils.widgets.html import LINE, alert, escape, guarded, muted

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


class SettingsForm(widgets.VBox):
    """A field for every setting; `config` are the current settings, and `on_change` calls back on every change.

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
        self.notes = {name: widgets.HTML(layout=widgets.Layout(flex="1 1 0", min_width="0")) for name in self.settings}
        self.message = widgets.HTML()
        for field in self.inputs.values():
            field.observe(self._changed, "value")
        folded = [widgets.VBox([self._row(name) for name in names]) for names in FOLDED.values()]
        sections = widgets.Accordion(folded, titles=tuple(FOLDED))
        super().__init__([*map(self._row, FIRST), sections, self._files(), self.message])
        with suppress(FileNotFoundError, UserError):  # no draft, or one of another version
            draft = files.read_json(self._draft, {"start": {}, "config": {}})
            if keep and draft["start"] == vars(config) != draft["config"]:
                self.show(RunConfig().with_changes(**draft["config"]), base=config)
                self.message.value = f'<p style="{LINE}">These are the settings from your last visit.</p>'
        self._check()

    @property
    def config(self) -> RunConfig:
        """The current settings, paths resolved; raises `UserError` when one is outside its limits."""
        return RunConfig().with_changes(**{name: self._value(name) for name in self.inputs}).resolved()

    def show(self, config: RunConfig, base: RunConfig | None = None) -> None:
        """Set every field; settings that differ from `base` are marked as changed."""
        self._base = base or config
        with muted(self._changed, self.inputs.values()):
            for name, field in self.inputs.items():
                value = getattr(config, name)
                if isinstance(field, widgets.Dropdown) and value not in field.options:  # the preset of an older run
                    field.options = (*field.options, value)
                field.value = value if isinstance(field, widgets.Dropdown | widgets.Checkbox) else _short(value)
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

    @property
    def _draft(self) -> Path:
        return self._data_dir / "runs" / DRAFT

    def _row(self, name: str) -> widgets.HBox:
        unit = widgets.Label(self.settings[name].metadata["unit"], layout=widgets.Layout(flex="0 0 5em"))
        return widgets.HBox([self.inputs[name], unit, self.notes[name]])

    def _files(self) -> widgets.Box:
        """The row that loads and saves the settings as a `config.json`."""
        look = dict(layout=widgets.Layout(width="34em"), style={"description_width": "13em"})
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
        self.message.value = ""
        self._notify(self.config if self._check() else None)

    def _notify(self, config: RunConfig | None) -> None:
        try:
            for listener in self._listeners:
                listener(config)
            if config and self._keep:
                files.make_parents(self._draft)
                files.write_json(self._draft, {"start": vars(self._start), "config": vars(config)})
        except UserError as error:  # a limit of the model, for example
            (self.notes[error.field] if error.field else self.message).value = alert(str(error))
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
            self.notes[error.field].value = alert(str(error))
            return False

    def _note(self, name: str) -> str:
        """Help text, the value before a change, and the recipe's value where it differs."""
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
        text = escape(setting["help"]) + f' <span style="opacity: 0.75">{" ".join(notes)}</span>'
        return f'<div style="{LINE}line-height: 1.4; padding: 4px 0">{text}</div>'


def _short(value: Any) -> str:
    """A value as typed: 2e-5, not 2e-05 or 0.00002."""
    return repr(value).removesuffix(".0").replace("e-0", "e-") if isinstance(value, float) else str(value)


def _input(setting, value: Any) -> widgets.Widget:
    """The widget for one field of `RunConfig`, by its name or its type."""
    layout = widgets.Layout(width="26em", flex="0 0 auto")
    look = dict(description=setting.name, style={"description_width": "13em"}, layout=layout)
    choices = setting.metadata["choices"]
    if setting.name == "preset":  # an older run may have another one
        choices = tuple(dict.fromkeys((*PRESETS, value)))
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
