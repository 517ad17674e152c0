"""Fields for the label and the note of a run, saved in its folder."""

from collections.abc import Callable, Iterable
from pathlib import Path

import ipywidgets as widgets

from utils import pages
from utils.errors import encodable
from utils.runs import folders, labels
from utils.widgets.html import LINE, guarded, muted, update

WHAT = "For you, and on the run's HTML pages, which a release contains."


class RunNotes(widgets.VBox):
    """Label and note of one of the offered runs, saved when a field is left; `on_save` is called then."""

    def __init__(self, on_save: Callable[[], None] = lambda: None):
        self._on_save = on_save
        look = dict(style={"description_width": "6em"}, layout={"width": "auto", "max_width": "36em"})
        self.run = widgets.Dropdown(description="Run", **look)
        self.label = widgets.Text(description="Label", continuous_update=False, **look)
        self.note = widgets.Textarea(description="Note", placeholder=WHAT, rows=3, continuous_update=False, **look)
        self.message = widgets.HTML()
        self._save = guarded(self._save_fields, self.message)
        self.run.observe(guarded(self._show, self.message), "value")
        for field in (self.label, self.note):
            field.observe(self._save, "value")
        super().__init__([self.run, self.label, self.note, self.message])

    def offer(self, run_dirs: Iterable[Path]) -> None:
        """The runs to choose from; the one shown stays if it is among them. None: nothing can be typed."""
        offered = {str(path): encodable(path.name) for path in run_dirs if path.is_dir()}
        shown = self.run.value
        self.run.options = [(name, path) for path, name in offered.items()]
        self.run.value = shown if shown in offered else next(iter(offered), None)
        self.run.layout.display = "none" if len(offered) == 1 else None
        guarded(self._show, self.message)()

    def _show(self) -> None:
        about, is_read = labels.About(), False  # what cannot be read is not replaced
        try:
            if self.run.value:
                about, is_read = labels.read(Path(self.run.value)), True
        finally:
            with muted(self._save, (self.label, self.note)):
                update(self.label, value=about.label, disabled=not is_read)
                update(self.note, value=about.note, disabled=not is_read)

    def _save_fields(self) -> None:
        run_dir = Path(self.run.value)
        labels.write(run_dir, labels.About(self.label.value, self.note.value))
        pages.rename(run_dir / "notebooks", folders.titles([run_dir])[run_dir])
        self._on_save()  # which may offer the runs again
        self.message.value = f'<p role="status" style="{LINE}">Saved.</p>'
