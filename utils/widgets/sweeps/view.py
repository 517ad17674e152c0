"""The results of a sweep: its runs by a measure, the measure against each swept setting, and the winner."""

from pathlib import Path

import ipywidgets as widgets

from utils.errors import UserError
from utils.sweeps import queue, results
from utils.sweeps.queue import Sweep
from utils.widgets.html import LINE, escape, guarded
from utils.widgets.settings_form import keep_draft


class SweepView(widgets.VBox):
    """The newest sweep of a data folder, or another one.

    The button saves the winner's settings for the form of notebook 03.
    """

    def __init__(self, data_dir: Path):
        self.data_dir = Path(data_dir)
        found = [(sweep.folder.name, str(sweep.folder)) for sweep in queue.sweeps(self.data_dir)]
        self.list = widgets.Dropdown(options=found, description="Sweep")
        self.measure = widgets.Dropdown(options=tuple(results.MEASURES), description="Measure")
        self.again = widgets.Button(description="Refresh", icon="refresh", tooltip="Read the runs' files again")
        self.use_button = widgets.Button(description="Winner's settings into the form", layout={"width": "auto"})
        self.message, self.score, self.table, self.figure = (widgets.HTML() for _ in range(4))
        show = guarded(self.show, self.message)
        for field in (self.list, self.measure):
            field.observe(show, "value")
        self.again.on_click(show)
        self.use_button.on_click(guarded(self.use, self.message))
        row = widgets.HBox(
            [self.list, self.measure, self.again, self.use_button], layout=widgets.Layout(flex_flow="row wrap")
        )
        super().__init__([row, self.message, self.score, self.table, self.figure])
        show()

    def show(self) -> None:
        """Read the sweep's files again."""
        self.figure.value = ""
        self.use_button.disabled = True
        if self.list.value is None:
            self.score.value = f'<p style="{LINE}">No sweep yet: notebook 03_train_fsdp starts one.</p>'
            return
        sweep, measure = Sweep(Path(self.list.value)), self.measure.value
        self.score.value = f'<p style="{LINE}">{escape(results.score(sweep))}</p>'
        self.table.value = results.table(sweep, measure).to_html()
        self.use_button.disabled = results.winner(sweep, measure) is None
        self.figure.value = results.figure(sweep, measure)._repr_html_()

    def use(self) -> None:
        """Save the winner's settings for the next form."""
        sweep = Sweep(Path(self.list.value))
        winner = results.winner(sweep, self.measure.value)
        if winner is None:
            raise UserError(f"{sweep.folder.name} has no finished run with a {self.measure.value} yet.")
        config = sweep.settings(int(winner.name.rpartition("-")[2]))
        keep_draft(self.data_dir, config)
        text = f"The form of notebook 03 has the settings of {winner.name}: run its cell again."
        self.message.value = f'<p style="{LINE}">{escape(text)}</p>'
