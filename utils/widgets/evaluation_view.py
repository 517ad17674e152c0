"""The tasks of an evaluation, one at a time: what was asked, both models' answers, and how they were judged."""

from collections import Counter
from collections.abc import Sequence
from html import escape

import ipywidgets as widgets

from utils.evaluation import measure
from utils.evaluation.measure import BASE, TUNED, Sample
from utils.sandbox.judge import Verdict
from utils.widgets import answer_view
from utils.widgets.html import BORDER, LINE, connection_note, pre, update
from utils.widgets.run_status import COLUMNS

ALL = "all"
MEANINGS = {
    measure.GAINED: "only the tuned model passes",
    measure.LOST: "only the base model passes",
    measure.BOTH: "both models pass",
    measure.NEITHER: "neither model passes",
}
FACTS = {
    "result": "Result",
    "assertion": "Failed assertion",
    "last_call": "Last call",
    "got": "Got",
    "expected": "Expected",
    "traceback": "Traceback",
    "output": "Printed",
}
SCROLLING = f"border: {BORDER}; max-height: 16em; overflow: auto; "


class EvaluationView(widgets.VBox):
    """Choices of a group, a task and a sample, and the page of that task.

    `shared` are the ids of tasks that share text with training pairs.
    """

    def __init__(self, samples: Sequence[Sample], shared: frozenset[str] = frozenset()):
        self.samples = {(sample.task_id, sample.model, sample.index): sample for sample in samples}
        self.changes, self.shared = measure.changes(samples), shared
        counts, wide = Counter(self.changes.values()), dict(layout={"width": "auto"})
        groups = [(f"{name} ({counts[name]:,}): {meaning}", name) for name, meaning in MEANINGS.items()]
        self.group = widgets.Dropdown(
            options=[(f"all {len(self.changes):,}", ALL), *groups], description="Tasks", **wide
        )
        self.task = widgets.Dropdown(description="Task", **wide)
        indices = sorted({sample.index for sample in samples})
        self.index = widgets.Dropdown(
            options=[(f"{index + 1} of {len(indices)}", index) for index in indices], description="Sample", **wide
        )
        self.index.layout.display = "" if len(indices) > 1 else "none"
        self.page = widgets.HTML()
        # JupyterLab takes the arrow keys of a list that is not open (Space opens it).
        self.previous, self.next = widgets.Button(description="Previous"), widgets.Button(description="Next")
        for button, step in ((self.previous, -1), (self.next, 1)):
            button.on_click(lambda _, step=step: setattr(self.task, "index", (self.task.index or 0) + step))
        buttons = widgets.HBox([self.previous, self.next])
        super().__init__([connection_note(), self.group, self.task, self.index, buttons, self.page])
        self._list()
        self.group.observe(self._list, "value")
        for field in (self.task, self.index):
            field.observe(self._show, "value")

    def _list(self, _=None) -> None:
        """List the tasks of the chosen group."""
        chosen = [task for task, change in self.changes.items() if self.group.value in (ALL, change)]
        self.task.options = [(f"{task} · {self.changes[task]}", task) for task in chosen]
        self.task.index, self.task.disabled = 0 if chosen else None, not chosen
        self._show()

    def _show(self, _=None) -> None:
        task, place = self.task.value, self.task.index or 0
        self.previous.disabled, self.next.disabled = place == 0, place + 1 >= len(self.task.options)
        if task is None:
            update(self.page, value=_line("There are no tasks in this group.", "status"))
            return
        both = [self.samples.get((task, model, self.index.value)) for model in (BASE, TUNED)]
        columns = "".join(_answer(sample) for sample in both if sample)
        note = " It shares text with training pairs, so it is not counted." if task in self.shared else ""
        head = _line(f"{task}: {MEANINGS[self.changes[task]]}.{note}", "status")
        update(self.page, value=f'{head}<div style="{COLUMNS}">{columns}</div>')


def _answer(sample: Sample) -> str:
    """One model's column: the verdict, what the model was asked and wrote, and what is known of a failure."""
    is_completion = sample.model == BASE
    verdict = f"{sample.model}: {'✔' if sample.passed else '✘'} {sample.kind}, {sample.seconds:.1f} s"
    asked = "to continue the function" if is_completion else "by an instruction"
    answer = answer_view.answer(sample.answer, before=sample.asked if is_completion else "")
    parts = [
        _line(verdict),
        _folded(f"The prompt: asked {asked}", sample.asked),
        f'<div tabindex="0" style="{SCROLLING}">{answer}</div>',
        *([] if sample.answer.strip() else [_line("The model wrote nothing.")]),
        *(_line(name) + pre(text, SCROLLING) for name, text in reasons(sample).items()),
        _folded("The program that was judged", sample.source),
    ]
    return f"<div>{''.join(parts)}</div>"


def reasons(judged: Sample | Verdict) -> dict[str, str]:
    """What is known of a failure, and what the program printed, each by its name on the page."""
    values = {"result": judged.result} | judged.facts
    if "assertion" in values:  # which says more than the result and the place in the test
        values |= {"result": "", "traceback": ""}
    return {FACTS[name]: values[name] for name in (("output",) if judged.passed else FACTS) if values.get(name)}


def _folded(title: str, text: str) -> str:
    summary = f'<summary style="cursor: pointer">{escape(title)}</summary>'
    return f'<details style="{LINE}">{summary}{pre(text, SCROLLING)}</details>'


def _line(text: str, role: str = "") -> str:
    return f'<p style="{LINE}margin: 0"{f" role={role}" if role else ""}><b>{escape(text)}</b></p>'
