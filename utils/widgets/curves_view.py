"""The comparison of runs: a choice of runs, axis and smoothing, with curves, results and hints."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import ipywidgets as widgets

from utils.errors import UserError, encodable
from utils.runs import curves, diagnostics, folders, launch
from utils.runs.curves import Run
from utils.widgets.html import Headers, alert, connection_note, describe, escape, pre
from utils.widgets.parts.hover import HoverPictures
from utils.widgets.parts.run_notes import RunNotes


class CurvesView(widgets.VBox):
    """A list of all runs of a data folder, the most recently written first, and the figure of those selected.

    `chosen` are the runs selected at the start. The button reads the files again and finds new runs. Labels and notes
    of the selected runs are edited below.
    """

    def __init__(self, data_dir: Path, chosen: Iterable[Path], smoothing: float = 0.8):
        self.data_dir = Path(data_dir)
        wide, narrow = {"description_width": "6em"}, widgets.Layout(width="17em")
        layout = widgets.Layout(width="36em", max_width="calc(100% - 4px)")
        self.names = widgets.SelectMultiple(description="Runs", style=wide, layout=layout)
        axes = [(label, x) for x, (*_, label) in curves.X_AXES.items()]
        self.x = widgets.Dropdown(options=axes, description="x axis", style=wide, layout=layout)
        self.smoothing = widgets.BoundedFloatText(
            smoothing, min=0, max=0.999, step=0.05, description="Smoothing", style=wide, layout=narrow
        )
        self.perplexity = widgets.Checkbox(description="Perplexity", indent=False, layout=narrow)
        self.again = widgets.Button(description="Refresh", icon="refresh", tooltip="Read the runs' files again")
        self.view, self.report = HoverPictures(), widgets.HTML()
        self.notes = RunNotes(lambda: self.read(self.names.value))
        self.read([encodable(path.name) for path in chosen])
        for field in (self.names, self.x, self.smoothing, self.perplexity):
            field.observe(self.show, "value")
        self.again.on_click(lambda _: self.read(self.names.value))
        choices = widgets.HBox(
            [self.smoothing, self.perplexity, self.again], layout=widgets.Layout(flex_flow="row wrap")
        )
        notes = widgets.Accordion([self.notes], titles=("Label and note",))
        super().__init__([connection_note(), Headers(), self.names, self.x, choices, self.view, notes, self.report])

    def read(self, chosen: Iterable[str]) -> None:
        """Read the folder again and show the chosen runs that still exist; unreadable ones are listed too."""
        found = {encodable(path.name): path for path in folders.runs(self.data_dir)}
        self._paths, self._runs = found, {}
        self._is_reading = True  # shown once, at the end
        titles = folders.titles(found.values())
        self.names.options = [(f"{titles[path]} · {launch.state(path)}", name) for name, path in found.items()]
        self.names.value = [name for name in chosen if name in found]
        self.names.rows = min(max(len(found), 2), 8)
        self._is_reading = False
        self.show()

    def show(self, _=None) -> None:
        if self._is_reading:
            return
        self.notes.offer(self._paths[name] for name in self.names.value)
        try:
            loaded, unreadable = curves.load(self._paths[name] for name in self.names.value if name not in self._runs)
            self._runs |= {run.name: run for run in loaded}
            runs = [self._runs[name] for name in self.names.value if name in self._runs]
            if not self.names.value:
                raise UserError("no run is selected: select one or more in the list, several with Ctrl or Shift.")
            figure = curves.compare(runs, self.x.value, self.smoothing.value, self.perplexity.value)
            self.view.show([figure], runs, self.x.value, self.smoothing.value)
            self.report.value = report(runs, unreadable)
        except Exception as error:  # in a callback it would not be shown
            self.view.points, self.view.value = [], alert(describe(error))
            self.report.value = ""


def report(runs: list[Run], unreadable: Mapping[str, str]) -> str:
    """Results, unreadable runs, notes, differing settings and hints, as HTML."""
    parts = [curves.summary(runs, unreadable).to_html()]
    titles = curves.titles(runs)
    if len(runs) > 1:
        table = curves.differences({title: run.config for run, title in zip(runs, titles, strict=True)})
        parts.append(table.to_html() if len(table) else "<p>All settings are equal.</p>")
    for run, title in zip(runs, titles, strict=True):
        parts += [pre(f"{title}\n{run.about.note}")] if run.about.note else []
        found = diagnostics.read([*run.train, *run.evals], run.config)
        parts += [f"<p><b>{escape(title)}: {escape(hint.kind)}.</b> {escape(hint.text)}</p>" for hint in found]
    return "".join(parts)
