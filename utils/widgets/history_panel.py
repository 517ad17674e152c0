"""The playground's history: show questions again, export them as Markdown, and save answers as pairs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from utils.errors import UserError
from utils.model.prompt_modes import INSTRUCTION, Question
from utils.playground import history
from utils.widgets.html import LINE, escape, guarded

NUM_SHOWN = 200
OWN_PAIRS = "my_pairs.jsonl"


class HistoryPanel(widgets.VBox):
    """The history of a run's playground, newest first; `restore` shows a record again, `add` appends one."""

    def __init__(self, run_dir: Path, data_dir: Path, restore: Callable[[dict[str, Any]], None]):
        self.run_dir, self.restore = run_dir, restore
        self.records, num_broken = history.load(run_dir)
        wide = dict(layout={"width": "auto"}, style={"description_width": "11em"})
        self.chosen = widgets.Dropdown(description="History", **wide)
        self.show_button = widgets.Button(description="Show again", layout=widgets.Layout(width="9em"))
        self.markdown_button = widgets.Button(description="Save as Markdown", layout=widgets.Layout(width="12em"))
        self.answer = widgets.Dropdown(description="Answer", **wide)
        self.take_button = widgets.Button(description="Edit this answer", layout=widgets.Layout(width="12em"))
        self.instruction = widgets.Textarea(description="Pair instruction", rows=3, **wide)
        self.input = widgets.Textarea(description="Pair input", rows=2, **wide)
        self.response = widgets.Textarea(description="Pair response", rows=8, **wide)
        self.path = widgets.Text(str(Path(data_dir) / OWN_PAIRS), description="File of pairs", **wide)
        self.pair_button = widgets.Button(description="Save as pair", layout=widgets.Layout(width="12em"))
        unreadable = f"{num_broken} unreadable lines in {history.HISTORY}, for example after a crash. They are kept."
        self.message = widgets.HTML(_note(unreadable) if num_broken else "")
        self.pair_message = widgets.HTML()
        explained = widgets.HTML(
            f'<p style="{LINE}">Correct an answer and save it as a training pair. To train on these pairs, set '
            "PAIRS to this file in notebook 01. A second file records where each pair came from.</p>"
        )
        fields = [self.answer, self.take_button, self.instruction, self.input, self.response, self.path]
        pair = widgets.VBox([explained, *fields, self.pair_button, self.pair_message])
        folded = widgets.Accordion([pair], titles=("Save an answer as a training pair",))
        super().__init__([self.chosen, widgets.HBox([self.show_button, self.markdown_button]), self.message, folded])
        self._list()
        self.chosen.observe(guarded(self._list_answers, self.message), "value")
        self.show_button.on_click(guarded(lambda: self.restore(self._record()), self.message))
        self.take_button.on_click(guarded(self._take_answer, self.pair_message))
        self.markdown_button.on_click(guarded(self._save, self.message))
        self.pair_button.on_click(guarded(self._add_pair, self.pair_message))

    def add(self, question: Question, columns: list[dict[str, Any]]) -> None:
        self.records.append(history.append(self.run_dir, question, columns))
        self._list()

    def _list(self) -> None:
        """Update the list; the newest question is selected."""
        newest = [
            (" · ".join(map(_short, (record["time"], record["mode"], record["instruction"] or record["text"]))), index)
            for index, record in reversed(list(enumerate(self.records)))
        ][:NUM_SHOWN]
        self.chosen.options = newest or [("no questions yet", None)]
        self.chosen.index = 0
        for button in (self.show_button, self.markdown_button, self.take_button, self.pair_button):
            button.disabled = not newest
        self._list_answers()

    def _record(self) -> dict[str, Any]:
        return self.records[self.chosen.value]

    def _list_answers(self) -> None:
        record = self.records[self.chosen.value] if self.chosen.value is not None else {"columns": []}
        self.answer.options = [
            (f"{_short(column['model'])}, answer {number + 1}", (place, number))
            for place, column in enumerate(record["columns"])
            for number in range(len(column["answers"]))
        ]
        self.answer.index = 0 if self.answer.options else None

    def _taken(self) -> tuple[dict[str, Any], int, int]:
        """The record, and the column and number of the selected answer."""
        if self.answer.value is None:
            raise UserError("There is no answer: press Generate first.")
        return self._record(), *self.answer.value

    def _take_answer(self) -> None:
        record, place, number = self._taken()
        self.instruction.value, self.input.value = record["instruction"], record["input"]
        self.response.value = record["columns"][place]["answers"][number]["text"]

    def _save(self) -> None:
        path = history.save_markdown(self.run_dir, self._record())
        self.message.value = _note(f"Saved as {os.path.relpath(path)}")

    def _add_pair(self) -> None:
        record, place, number = self._taken()
        column = record["columns"][place]
        pair = {name: getattr(self, name).value for name in ("instruction", "input", "response")}
        written = column["answers"][number]["text"]
        origin = {
            "time": record["time"],
            "run": self.run_dir.name,
            "model": column["name"],
            "settings": record["settings"],
            "answer": number + 1,
            "is_edited": pair["response"] != written,
            "was_asked_as_instruction": record["mode"] == INSTRUCTION,
        }
        number = history.add_pair(Path(self.path.value), pair, origin)
        self.pair_message.value = _note(f"Pair {number} of {os.path.relpath(self.path.value)}")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 70 else text[:69] + "…"


def _note(text: str) -> str:
    return f'<p role="status" style="{LINE}">{escape(text)}</p>'
