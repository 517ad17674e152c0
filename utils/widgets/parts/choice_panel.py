"""The panel at the top of every notebook: preset, pairs and run, chosen once and remembered."""

from dataclasses import replace
from pathlib import Path

import ipywidgets as widgets

from utils import artifacts
from utils.config import PRESETS, RunConfig
from utils.data import pairs as pair_stage
from utils.data import sources
from utils.errors import UserError, number_of
from utils.runs import folders
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
        look = dict(style={"description_width": "6em"}, layout=widgets.Layout(width="30em", max_width="100%"))
        typed = look | {"continuous_update": False}
        self.preset = widgets.Dropdown(description="Preset", options=[self.choice.preset], **look)
        self.source = widgets.Dropdown(description="Pairs", **look)
        self.path = widgets.Combobox(description="File", placeholder="its path, or upload it", **typed)
        self.upload = widgets.FileUpload(
            description="Upload", tooltip=f"Up to {MAX_UPLOAD}; give the path of larger files"
        )
        self.hub = widgets.Text(description="Data set", placeholder="OWNER/NAME or OWNER/NAME@COMMIT", **typed)
        self.map = widgets.Text(description="Fields", placeholder="such as response=output; ours first", **typed)
        self.ignore = widgets.Text(description="Ignore", placeholder="fields that are no part of a pair", **typed)
        self.start = widgets.Dropdown(description="Start from", **look)
        self.run = widgets.Dropdown(description="Run", **look)
        self.about_preset, self.about_pairs, self.message = (widgets.HTML() for _ in range(3))
        self.file_row = widgets.HBox([self.path, self.upload], layout=widgets.Layout(flex_flow="row wrap"))
        self.fields = [self.preset, self.source, self.path, self.hub, self.map, self.ignore, self.start, self.run]
        self._changed = guarded(self._read_fields, self.message)
        for field in self.fields:
            field.observe(self._changed, "value")
        self.upload.observe(guarded(self._keep_upload, self.message), "value")
        for field in (*self.fields, self.upload):
            field.disabled = bool(self.given)
        rows = [(self.preset, self.about_preset), (self.source, self.about_pairs)]
        rows = [widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap")) for row in rows]
        super().__init__([*rows, self.file_row, self.hub, self.map, self.ignore, self.start, self.run, self.message])

    def _show(self) -> None:
        """Set every field from the choice; the rows of a file, a data set and a start appear where they are needed."""
        choice, source = self.choice, _source(self.choice.pairs)
        runs = folders.readable(self.data_dir)
        titles = folders.titles(runs)
        finished = [path for path in runs if (path / "model").exists()]
        with muted(self._changed, self.fields):
            preset_pairs = RunConfig.from_preset(choice.preset).pairs
            _set(self.preset, [(name, name) for name in PRESETS], choice.preset)
            names = [(name, name) for name in (*sources.NAMED, FILE, HUB)]
            _set(self.source, [(f"the preset's: {preset_pairs}", ""), *names], source)
            _set(
                self.start,
                [("the preset's model", ""), *((titles[path], path.name) for path in finished)],
                choice.start,
            )
            _set(self.run, [("the newest of these", ""), *((titles[path], path.name) for path in runs)], choice.run)
            self.path.value, self.hub.value = (choice.pairs if source == kind else "" for kind in (FILE, HUB))
            self.map.value, self.ignore.value = choice.map, choice.ignore
        self._show_rows(source)
        config = RunConfig.from_preset(choice.preset)
        self.about_preset.value = _line(f"model {config.model_name_or_path}, learning rate {config.learning_rate:g}")
        self.about_pairs.value = _line(self._about(choice.pairs or preset_pairs))

    def _show_rows(self, source: str) -> None:
        for field, is_shown in (
            (self.file_row, source == FILE),
            (self.hub, source == HUB),
            (self.map, source in (FILE, HUB)),
            (self.ignore, source in (FILE, HUB)),
            (self.start, len(self.start.options) > 1),
        ):
            field.layout.display = None if is_shown else "none"

    def _about(self, pairs: str) -> str:
        """What the pairs are, how many and under which licence, once they are read as they were found."""
        named = sources.NAMED.get(pairs)
        what, size, licence = (
            (named.what, named.size, named.license) if named else (pairs, "not read yet", "not stated")
        )
        folder = artifacts.pairs_dir(self.data_dir, pairs)
        if (artifacts.read_manifest(folder) or {}).get("facts"):
            counts = pair_stage.row_counts(folder)
            size, licence = number_of(counts.get("num_kept", 0), "pair"), counts.get("license", licence)
        return f"{named.what} · {size} · licence: {licence}"

    def _read_fields(self) -> None:
        old, source, self._is_refused = self.choice, self.source.value, True
        pairs = {FILE: self.path.value.strip(), HUB: self.hub.value.strip()}.get(source, source)
        if source in (FILE, HUB) and not pairs:
            self._show_rows(source)
            self.message.value = _line("Type a path, or upload a file." if source == FILE else "Type OWNER/NAME.")
            return
        if source == HUB and "@" not in pairs:
            self.message.value = _line("Asking the hub for the newest commit…")
            pairs = sources.newest(pairs)
        elif source == FILE:
            pairs = str(sources.file_of(pairs))
        fields = (
            dict(map=self.map.value, ignore=self.ignore.value) if source in (FILE, HUB) else dict(map="", ignore="")
        )
        new = Choice(self.preset.value, pairs, self.run.value, self.start.value, **fields)
        if new.run != old.run and new.run:
            config = folders.settings(folders.named(self.data_dir, new.run))
            is_known = config.preset in PRESETS
            new = replace(new, preset=config.preset if is_known else new.preset, pairs=config.pairs)
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
