"""The panel at the top of every notebook: preset, pairs and run, chosen once and remembered."""

from dataclasses import replace
from pathlib import Path

import ipywidgets as widgets

from utils import artifacts, files
from utils.choices import offered
from utils.config import EMBEDDED, PRESETS, RunConfig
from utils.data import sources
from utils.errors import UserError, encodable, number_of
from utils.runs import folders
from utils.runs.labels import typed
from utils.widgets.html import LINE, alert, escape, guarded, muted
from utils.widgets.parts import choice as choices
from utils.widgets.parts.choice import Choice

FILE, HUB = "a file", "a data set of the hub"
MAX_UPLOAD = "10 MB"  # a message of the notebook server


class ChoicePanel(widgets.VBox):
    """The choice that this notebook uses, as `choice`; changes are remembered for all notebooks of the data folder.

    Where `preset`, `pairs` or `run` is given, by a parameter or the environment, these are used, nothing is remembered
    and nothing can be changed here. What cannot be used of a remembered choice is said, and left out.
    """

    def __init__(self, data_dir: Path, preset: str = "", pairs: str = "", run: str = ""):
        self.data_dir, self.given = Path(data_dir), {"PRESET": preset, "PAIRS": pairs, "RUN": run}
        self.given = {name: value for name, value in self.given.items() if value}
        self._is_refused = False  # what the fields say
        if self.given:
            self.choice, faults = Choice(preset or Choice.preset, pairs, run), []
            RunConfig.chosen(self.choice.preset, self.choice.pairs)  # its errors
        else:
            self.choice, faults = choices.remembered(self.data_dir)
        self._make_fields()
        self._show()
        self.message.value = "".join(alert(f"Not used of your last choice: {fault}") for fault in faults)
        if self.given:
            names = " and ".join(self.given)
            self.message.value = _line(f"{names} given as a parameter or in the environment: leave out to choose here.")

    def config(self, overrides: str = "{}") -> RunConfig:
        """The settings of the choice with `overrides`, as `Choice.config`; raises `UserError` for a choice refused."""
        if self._is_refused:
            raise UserError("the choice at the top of this notebook was refused. Correct it, and run this cell again.")
        return self.choice.config(self.data_dir, overrides)

    def run_dir(self, is_finished: bool = False) -> Path:
        """The folder of the chosen run; raises `UserError` as `folders.find_run`."""
        return folders.find_run(self.data_dir, self.config(), self.choice.run, is_finished)

    def _make_fields(self) -> None:
        look = dict(style={"description_width": "6em"}, layout={"width": "34em", "max_width": "100%"})
        own = look | {"continuous_update": False}
        self.preset = widgets.Dropdown(description="Preset", options=[self.choice.preset], **look)
        self.source = widgets.Dropdown(description="Pairs", **look)
        self.path = widgets.Combobox(description="File", placeholder="its path, or upload it", **own)
        self.upload = widgets.FileUpload(description="Upload", tooltip=f"Up to {MAX_UPLOAD}; else give the path")
        self.hub = widgets.Text(description="Data set", placeholder="OWNER/NAME or OWNER/NAME@COMMIT", **own)
        self.map = widgets.Text(description="Fields", placeholder="such as response=output; ours first", **own)
        self.ignore = widgets.Text(description="Ignore", placeholder="fields that are no part of a pair", **own)
        self.start = widgets.Dropdown(description="Start from", **look)
        self.run = widgets.Dropdown(description="Run", **look)
        beside = {"flex": "1 1 0", "min_width": "16em"}
        self.about_preset, self.about_pairs = (widgets.HTML(layout=beside) for _ in range(2))
        self.message = widgets.HTML()
        self.file_row = widgets.HBox([self.path, self.upload], layout=widgets.Layout(flex_flow="row wrap"))
        self.fields = [self.preset, self.source, self.path, self.hub, self.map, self.ignore, self.start, self.run]
        self._changed = guarded(self._read_fields, self.message)
        for field in self.fields:
            field.observe(self._changed, "value")
            field.disabled = bool(self.given)
        self.upload.observe(guarded(self._keep_upload, self.message), "value")
        self.upload.layout.display = "none" if self.given else None
        rows = [(self.preset, self.about_preset), (self.source, self.about_pairs)]
        rows = [widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap")) for row in rows]
        super().__init__([*rows, self.file_row, self.hub, self.map, self.ignore, self.start, self.run, self.message])

    def _show(self) -> None:
        """Set every field from the choice."""
        choice, source = self.choice, _source(self.choice.pairs)
        preset = RunConfig.from_preset(choice.preset)
        runs = folders.readable(self.data_dir)
        titles = folders.titles(runs)
        starts = [(f"the tuned model of {titles[path]}", path.name) for path in runs if (path / "model").exists()]
        with muted(self._changed, self.fields):
            _set(self.preset, [(name, name) for name in offered()], choice.preset)
            named = [(f"{name} · {about.size} · {about.license}", name) for name, about in sources.NAMED.items()]
            options = [(f"the preset's: {preset.pairs}", ""), *named, (FILE, FILE), (HUB, HUB)]
            _set(self.source, options, source)
            _set(self.start, [("the preset's model", ""), *starts], choice.start)
            _set(self.run, [("the newest of these", ""), *((titles[path], path.name) for path in runs)], choice.run)
            own = [*self.data_dir.glob("my_pairs.jsonl"), *self.data_dir.glob(f"raw/{choices.UPLOADS}/*")]
            self.path.options = [encodable(str(path)) for path in own]
            self.path.value, self.hub.value = (choice.pairs if source == kind else "" for kind in (FILE, HUB))
            self.map.value, self.ignore.value = choice.map, choice.ignore
        self._show_rows(source)
        model = "the bundled StarCoder" if preset.model_name_or_path == EMBEDDED else preset.model_name_or_path
        self.about_preset.value = _line(f"{model}, learning rate {typed(preset.learning_rate)}")
        self.about_pairs.value = _line(self._about(choice.pairs or preset.pairs))

    def _show_rows(self, source: str) -> None:
        """Show the rows of a file or a data set for these alone, and a start where there is one."""
        for field, is_shown in (
            (self.file_row, source == FILE),
            (self.hub, source == HUB),
            (self.map, source in (FILE, HUB)),
            (self.ignore, source in (FILE, HUB)),
            (self.start, len(self.start.options) > 1),
        ):
            field.layout.display = None if is_shown else "none"

    def _about(self, pairs: str) -> str:
        """What the pairs are, how many and under which licence; as they were found where notebook 01 has read them."""
        named = sources.NAMED.get(pairs, sources.Named(Path(pairs).name, "not read yet", "not stated"))
        size, licence = named.size, named.license
        found = (artifacts.read_manifest(artifacts.pairs_dir(self.data_dir, pairs)) or {}).get("facts", {})
        if not files.misfit(found, {"num_kept": int, "license": str}):
            size, licence = number_of(found["num_kept"], "pair"), found["license"]
        return f"{named.what} · {size} · licence: {licence}"

    def _read_fields(self) -> None:
        old, source, self._is_refused = self.choice, self.source.value, True
        is_own = source in (FILE, HUB)
        pairs = {FILE: self.path.value, HUB: self.hub.value}.get(source, source).strip()
        if is_own and not pairs:
            self._show_rows(source)
            self.message.value = _line("Type a path, or upload a file." if source == FILE else "Type OWNER/NAME.")
            return
        if source == HUB and "@" not in pairs:
            self.message.value = _line("Asking the hub for the newest commit…")
            pairs = sources.newest(pairs)
        elif source == FILE:
            pairs = str(sources.file_of(pairs))
        fields = (self.map.value, self.ignore.value) if is_own else ("", "")
        new = Choice(self.preset.value, pairs, self.run.value, self.start.value, *fields)
        if new.run and new.run != old.run:
            config = RunConfig.load(folders.named(self.data_dir, new.run) / "config.json")
            preset = config.preset if config.preset in PRESETS else new.preset
            new = replace(new, preset=preset, pairs=config.pairs)
        elif (new.preset, new.pairs) != (old.preset, old.pairs):
            new = replace(new, run="")
        self._take(new)

    def _take(self, new: Choice) -> None:
        choices.check(new, self.data_dir)
        self.choice, self._is_refused = new, False
        self._show()
        choices.remember(new, self.data_dir)
        self.message.value = _line("Remembered for all notebooks. Now run the cells below.", ' role="status"')

    def _keep_upload(self) -> None:
        for file in self.upload.value:
            path = choices.keep_upload(file["name"], bytes(file["content"]), self.data_dir)
            self.upload.value = ()  # a saved notebook would hold the content
            self.path.value = str(path)


def _source(pairs: str) -> str:
    """The entry of the list of sources for these pairs."""
    return HUB if sources.HUB_NAME.fullmatch(pairs) else pairs if pairs in sources.NAMED or not pairs else FILE


def _set(field: widgets.Dropdown, options: list[tuple[str, str]], value: str) -> None:
    """Set the options of a field, and a value, which is added if it is not among them."""
    known = [option for _, option in options]
    field.options = options if value in known else [*options, (value, value)]
    field.value = value


def _line(text: str, attributes: str = "") -> str:
    return f'<p{attributes} style="{LINE}margin: 4px 8px">{escape(text)}</p>'
