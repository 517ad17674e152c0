"""One model's column in the playground: a worker thread generates, and `show` updates the page."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, replace
from threading import Event
from typing import Any

import ipywidgets as widgets

from utils.evaluation.task_questions import task_of
from utils.evaluation.tasks import source_of
from utils.model import generation, prompt_modes
from utils.model.prompt_modes import Question
from utils.model.shape import context_of
from utils.playground import token_logprobs
from utils.playground.attribution import Span
from utils.playground.history import Written
from utils.playground.model_pool import LoadedModels
from utils.sandbox.judge import Task
from utils.tokens.prompts import ALPACA, encode_texts, end_id, user_message
from utils.widgets import answer_view
from utils.widgets.code_runner import CodeRunner, program
from utils.widgets.html import FRAMED, LINE, CopyButton, describe, escape, pre, update

OTHER = "another…"
LOOKING_UP = "looking up sources (the first time this builds an index)"
ROW = "margin: 0; min-height: 1.5em; "  # also when empty, so that columns stay aligned


class Column(widgets.VBox):
    """The widgets of one model: its choice, status, answers and their sources.

    `choices` maps labels to names; `find` returns the stretches of a text that occur in the training data. Answers to
    a question that asks one of `tasks()` are judged by its tests.
    """

    def __init__(
        self,
        choices: dict[str, str],
        chosen: str,
        models: LoadedModels,
        find: Callable[[str], list[Span]],
        tasks: Callable[[], Sequence[Task]] = tuple,
    ):
        self.choices, self.models, self.find, self.tasks = choices, models, find, tasks
        self.question: Question | None = None
        self.task: Task | None = None
        self.writer = ("", "")  # label and name of the model that answered; the choice may have changed
        self.written: list[Written] = []
        self.spans: list[list[Span]] = []
        self.scores: list[list[token_logprobs.TokenScore]] = []
        self.losses: list[dict[str, float]] = []  # of each answer under each column's model
        self.stage, self.note, self.prompt = "no answer yet", "", ""
        self.work: Future | None = None
        wide = dict(layout={"width": "auto"}, style={"description_width": "5em"})
        self.model = widgets.Dropdown(options=[*choices, OTHER], value=chosen, **wide)
        self.other = widgets.Text(placeholder="hub id or folder", continuous_update=False, **wide)
        self.other.layout.visibility = "hidden"  # keeps its space, so that columns stay aligned
        self.copy = CopyButton()
        self.free_button = widgets.Button(layout=widgets.Layout(width="10em"))
        self.remove_button = widgets.Button(layout=widgets.Layout(width="11em"))
        # The widget scrolls, not its text, which is replaced while streaming.
        self.page = widgets.HTML(layout=widgets.Layout(height="26em", **FRAMED), tabbable=True)
        self.status, self.speed, self.sources = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.runner = CodeRunner()
        self.model.observe(self._chosen, "value")
        buttons = widgets.HBox([self.copy, self.free_button, self.remove_button])
        buttons.layout.flex_flow, buttons.layout.align_items = "row wrap", "center"
        rows = [self.model, self.other, self.status, self.speed, self.page, buttons, self.runner, self.sources]
        super().__init__(rows, layout=widgets.Layout(flex="1 1 17em", min_width="0"))
        self.add_class("playground-column")
        self.show()

    def set_number(self, number: int) -> None:
        """Number the controls, so that screen readers distinguish the columns."""
        controls: dict[str, Any] = {"Model": self.model, "Name": self.other, "Copy": self.copy}
        controls |= {"Free memory": self.free_button, "Remove column": self.remove_button}
        for name, control in controls.items():
            control.description = f"{name} {number}"
        self.runner.set_number(number)

    @property
    def label(self) -> str:
        return self.other.value.strip() if self.model.value == OTHER else self.model.value

    @property
    def name(self) -> str:
        """The model's name in `LoadedModels`."""
        return self.choices.get(self.label, self.label)

    @property
    def turns(self) -> tuple[tuple[str, str], ...]:
        """The questions and answers before this one."""
        return self.question.turns if self.question else ()

    @property
    def is_writing(self) -> bool:
        return self.work is not None and not self.work.done()

    def start(self, question: Question, stop: Event, worker: Executor, is_continued: bool = False) -> None:
        """Answer a question, with `is_continued` after the one before and this column's first answer to it."""
        if is_continued and self.question and self.written:
            before = user_message(self.question.instruction, self.question.input), self.written[0].text
            question = replace(question, turns=(*self.question.turns, before))
        self._empty(question, (self.label, self.name))
        self.stage = "loading the model"
        self.work = worker.submit(self._write, question, stop)

    def _write(self, question: Question, stop: Event) -> None:
        try:
            network, tokenizer = self.models.get(self.writer[1])
            asked = question.ask(tokenizer, context_of(network.config))
            self.note, self.prompt, self.stage = asked.note, asked.shown, "reading the prompt"
            begun, first = time.monotonic(), 0.0
            rows = [asked.ids] * question.num_answers
            for drafts in generation.stream(network, tokenizer, rows, question.settings, stop):
                seconds = time.monotonic() - begun
                first = first or seconds
                self.written = [
                    before if before and before.reason else _written(draft, first, seconds)
                    for draft, before in zip(drafts, self.written or [None] * len(drafts), strict=True)
                ]
                self.stage = "generating"
            self.stage = ""
        except Exception as error:  # in a thread it would not be shown
            self.stage = describe(error)

    def restore(self, question: Question, kept: dict[str, Any]) -> None:
        question = replace(question, turns=tuple((asked, answered) for asked, answered in kept["turns"]))
        self._empty(question, (kept["model"], kept["name"]))
        is_choice = self.choices.get(kept["model"]) == kept["name"]
        self.model.value = kept["model"] if is_choice else OTHER
        self.other.value = "" if is_choice else kept["name"]
        self.written = [Written(**answer) for answer in kept["answers"]]
        self.note, self.prompt, self.stage = kept["note"], kept["prompt"], ""

    def record(self) -> dict[str, Any]:
        answers = [asdict(one) for one in self.written]
        label, name = self.writer
        about = {"model": label, "name": name, "prompt": self.prompt, "note": self.note}
        return about | {"turns": self.turns, "answers": answers}

    def find_sources(self) -> None:
        """Find the sources of the answers, unless known or looked up already."""
        written = self.written
        if self.spans or not written or self.stage == LOOKING_UP:
            return
        before, self.stage = self.stage, LOOKING_UP
        spans = []
        try:
            spans = [self.find(one.text) for one in written]
        finally:
            if written is self.written:  # else there is another question now
                self.spans, self.stage = spans, before

    def score(self, others: Sequence["Column"]) -> None:
        """Compute token probabilities of the answers and their losses under all models, unless known."""
        if self.scores or self.question is None:
            return
        written, own, found, losses = self.written, self.models.get(self.writer[1])[1], [], []
        template = self.question.template if self.question.mode == prompt_modes.INSTRUCTION else ALPACA
        for one in written:
            ended = [end_id(own, template)] if one.reason == generation.END_OF_TEXT else []
            losses.append({})
            for other in others:
                label, name = other.writer
                network, tokenizer = self.models.get(name)
                prompt = self.question.ask(tokenizer, context_of(network.config)).ids
                is_same = tokenizer.get_vocab() == own.get_vocab()
                ids = [*one.ids, *ended] if is_same else encode_texts([one.text], tokenizer)[0]
                scored = token_logprobs.score(network, tokenizer, prompt, ids)
                losses[-1][label] = token_logprobs.loss(scored)
                if other is self:
                    found.append(scored)
        if written is self.written:
            self.scores, self.losses = found, losses

    def show(self, has_probabilities: bool = False) -> None:
        # Screen readers announce the status, not the speed, which changes ten times a second.
        update(self.status, value=f'<p role="status" style="{LINE}{ROW}">{escape(self._status_text())}</p>')
        update(self.speed, value=f'<p style="{LINE}{ROW}">{escape(self._speed_text())}</p>')
        turns = "".join(pre(f"❯ {asked}\n\n{answered}") + "<hr>" for asked, answered in self.turns)
        answers = (self._answer(index, has_probabilities) for index in range(len(self.written)))
        update(self.page, value=turns + "".join(answers))
        found = [answer_view.sources(one.text, spans) for one, spans in zip(self.written, self.spans, strict=False)]
        if self.spans and not any(self.spans):
            found = [f'<p style="{LINE}">Nothing found: no text of the answer occurs in the training data.</p>']
        update(self.sources, value="".join(found))
        before, after = self.question.around if self.question else ("", "")
        whole = "\n\n".join(before + one.text + after for one in self.written)
        update(self.copy, text=whole)
        programs = [
            source_of(self.task, one.text, before or None) if self.task else program(one.text, before, after)
            for one in self.written
        ]
        self.runner.offer([] if self.is_writing else programs, self.task)

    def _answer(self, index: int, has_probabilities: bool) -> str:
        one, number = self.written[index], len(self.written)
        head = (
            f'<p style="{LINE}"><b>Answer {index + 1} of {number}</b>, {escape(one.reason)}</p>' if number > 1 else ""
        )
        if has_probabilities and index < len(self.scores):
            losses = ", ".join(f"{name} {value:.2f}" for name, value in self.losses[index].items())
            loss = f'<p style="{LINE}">Loss of this answer (nats per token): {escape(losses)}</p>'
            return head + loss + answer_view.probabilities(self.scores[index])
        spans = self.spans[index] if index < len(self.spans) else ()
        before, after = self.question.around if self.question else ("", "")
        return head + answer_view.answer(one.text, spans, before=before, after=after)

    def _status_text(self) -> str:
        reasons = ", ".join(dict.fromkeys(one.reason for one in self.written if one.reason))
        return " · ".join(filter(None, (self.stage, f"ended by: {reasons}" if reasons else "", self.note)))

    def _speed_text(self) -> str:
        if not self.written:
            return ""
        tokens, first = sum(one.num_tokens for one in self.written), self.written[0].first_token_seconds
        speed = sum(one.tokens_per_second for one in self.written)
        return f"{tokens} tokens · {speed:.0f} tokens/s · first after {first:.2f} s"

    def _empty(self, question: Question, writer: tuple[str, str]) -> None:
        self.writer = writer
        self.question, self.written, self.spans, self.scores, self.losses = question, [], [], [], []
        self.note = self.prompt = self.stage = ""
        self.task = task_of(question, self.tasks())

    def _chosen(self, change) -> None:
        self.other.layout.visibility = "visible" if change["new"] == OTHER else "hidden"


def _written(draft: generation.Draft, first: float, seconds: float) -> Written:
    return Written(draft.text, draft.reason, draft.ids, draft.num_tokens, first, draft.num_tokens / seconds)
