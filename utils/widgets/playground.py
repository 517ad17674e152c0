"""The playground: several models answer one question side by side, streaming.

Every column generates in its own thread; an asyncio task updates the page ten times a second. Model output is escaped,
and runs only in the sandbox, where a user presses Run.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Any

import ipywidgets as widgets

from utils.config import RunConfig
from utils.errors import UserError
from utils.evaluation import task_questions
from utils.evaluation.tasks import instruction
from utils.hardware import format_bytes
from utils.model import loading, prompt_modes
from utils.model.prompt_modes import CURSOR, FILL, INSTRUCTION, MODES, Question
from utils.model.shape import context_of
from utils.playground import attribution, model_pool
from utils.playground.examples import EXAMPLES, WITH_TESTS
from utils.playground.history import question_of
from utils.playground.model_pool import LoadedModels
from utils.tokens.prompts import CHAT
from utils.widgets.code_runner import SANDBOX
from utils.widgets.generation_form import GenerationForm
from utils.widgets.history_panel import HistoryPanel
from utils.widgets.html import (
    FRAMED,
    LINE,
    Headers,
    Shortcut,
    alert,
    connection_note,
    describe,
    escape,
    guarded,
    pre,
    update,
)
from utils.widgets.playground_column import Column

FLUSH_SECONDS = 0.1
MAX_COLUMNS = 4
TEXT, PROBABILITIES = "Text", "Probabilities"


class Playground(widgets.VBox):
    """The panel; without a page, use `generate()`, `await wait()` and `columns`.

    `run_dir` is the run with the models, template and history; `models` can be shared with other code.
    """

    def __init__(self, run_dir: Path, data_dir: Path, models: LoadedModels | None = None, **texts: str):
        self.run_dir, self.data_dir, self.models = Path(run_dir), Path(data_dir), models or LoadedModels()
        self.config = RunConfig.load(self.run_dir / "config.json")
        self.choices = model_pool.choices(self.run_dir)
        # In the background: finding out which functions are tasks takes seconds.
        self.tasks = ThreadPoolExecutor(1).submit(task_questions.known, self.run_dir, self.data_dir)
        self._stop, self._index_lock, self._index = Event(), Lock(), None
        # One thread per column for all questions: a CUDA graph belongs to the thread that recorded it.
        self._workers = [ThreadPoolExecutor(1) for _ in range(MAX_COLUMNS)]
        self._preview: tuple[Any, int] | None = None
        self._flushing: asyncio.Task | None = None
        self._make_fields(texts)
        self._make_buttons()
        self.history = HistoryPanel(self.run_dir, self.data_dir, self._restore)
        self.columns = [self._column(name) for name in list(self.choices)[:2]]
        self.column_box = widgets.HBox(layout=widgets.Layout(grid_gap="12px", flex_flow="row wrap"))
        self._lay_out()
        self._show_mode()
        self._show_prompt()

    def _make_fields(self, texts: dict[str, str]) -> None:
        wide = dict(layout={"width": "auto"}, style={"description_width": "11em"})
        self.mode = widgets.ToggleButtons(options=MODES, description="Mode", style={"description_width": "11em"})
        self.example = widgets.Dropdown(options=["choose one…", *EXAMPLES, WITH_TESTS], description="Example", **wide)
        self.instruction = widgets.Textarea(texts.get("instruction", ""), description="Instruction", rows=4, **wide)
        self.input = widgets.Textarea(texts.get("input", ""), description="Input (optional)", rows=3, **wide)
        self.system = widgets.Textarea(description="System (optional)", rows=2, **wide)
        self.is_continued = widgets.Checkbox(description="Continue the conversation", indent=False)
        self.text = widgets.Textarea(texts.get("text", ""), description="Text", rows=10, **wide)
        mark = f"Mark the gap with {escape(CURSOR)}. The model sees the text before and after it."
        self.mark = widgets.HTML(f'<p style="{LINE}">{mark}</p>')
        self.sampling = GenerationForm()
        self.prompt = widgets.HTML(layout=widgets.Layout(max_height="20em", **FRAMED), tabbable=True)

    def _make_buttons(self) -> None:
        look = dict(button_style="primary", icon="play", tooltip="Ctrl+Enter")
        self.generate_button = widgets.Button(description="Generate", **look)
        self.stop_button = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.add_button = widgets.Button(description="Add a column", icon="plus")
        self.view = widgets.ToggleButtons(options=(TEXT, PROBABILITIES), description="Show")
        self.has_sources = widgets.Checkbox(True, description="Find sources", indent=False)
        self.message, self.memory = widgets.HTML(), widgets.HTML()
        self.generate_button.on_click(guarded(self.generate, self.message))
        self.stop_button.on_click(guarded(self._stop.set, self.message))
        self.add_button.on_click(guarded(self._add_column, self.message))
        for field, action in (
            *((field, self._show_prompt) for field in (self.system, self.instruction, self.input, self.text)),
            *((field, self._show_prompt) for field in self.sampling.numbers.values()),
            *((self.mode, self._show_mode), (self.example, self._take_example), (self.view, self._show_view)),
        ):
            field.observe(guarded(action, self.message), "value")

    def _lay_out(self) -> None:
        folded, buttons = [self.sampling, widgets.VBox([self.prompt])], [self.generate_button, self.stop_button]
        narrow = widgets.Layout(flex="0 1 auto", min_width="12em", max_width="20em")  # two columns fit beside it
        self.settings = widgets.Accordion(folded, titles=("Sampling", "Prompt"), layout=narrow)
        answers = widgets.VBox([self.view, self.column_box], layout=widgets.Layout(flex="1 1 30em", min_width="0"))
        row = dict(layout=widgets.Layout(flex_flow="row wrap", grid_gap="12px", align_items="flex-start"))
        search = attribution.pretraining_search(self.config.model_name_or_path)
        what, place = map(escape, search or ("", ""))
        pointer = f'{what} <a href="{place}" target="_blank" rel="noopener noreferrer">{place}</a>' if search else ""
        super().__init__([
            *(connection_note(), Shortcut(), Headers()),
            *(self.mode, self.example, self.system, self.instruction, self.input, self.text, self.mark),
            widgets.HBox([*buttons, self.add_button, self.has_sources, self.is_continued], **row),
            *(self.message, widgets.HBox([answers, self.settings], **row)),
            widgets.HTML(f'<p style="{LINE}">{escape(SANDBOX)}</p>'),
            self.memory,
            widgets.HTML(f'<p style="{LINE}">{pointer}</p>' if pointer else ""),
            self.history,
        ])  # fmt: skip
        self._arrange_columns()

    def question(self) -> Question:
        """The question in the fields; raises `UserError` for an invalid value."""
        try:
            settings, num_answers = self.sampling.read()
        except UserError:
            self.settings.selected_index = 0  # its field says what is wrong
            raise
        texts = {name: getattr(self, name).value for name in self._shown_texts()}
        return Question(
            self.mode.value, **texts, num_answers=num_answers, template=self.config.template, settings=settings
        )

    def generate(self) -> None:
        """Start all columns on the same question; raises `UserError` for an invalid one."""
        self._require_idle()
        question = self.question()
        if not getattr(self, self._shown_texts()[0]).value.strip():
            raise UserError(f"The {self._shown_texts()[0]} is empty: write what the models should do.")
        if question.mode == FILL:
            prompt_modes.check_gap(question.text)
        self._stop.clear()
        for column, worker in zip(self.columns, self._workers, strict=False):
            column.start(question, self._stop, worker, self.is_continued.value)
        self._flushing = asyncio.get_running_loop().create_task(self._flush(question))

    async def wait(self) -> None:
        if self._flushing:
            await self._flushing

    async def _flush(self, question: Question) -> None:
        self.generate_button.disabled, self.stop_button.disabled = True, False
        try:
            while self._is_busy():
                self._show_columns()
                await asyncio.sleep(FLUSH_SECONDS)
            self._show_columns()  # the last text
            if any(column.written for column in self.columns):
                self.history.add(question, [column.record() for column in self.columns])
        except Exception as error:  # in a task it would not be shown
            self.message.value = alert(describe(error))
        finally:
            self.generate_button.disabled, self.stop_button.disabled = False, True
        await self._analyze()

    async def _analyze(self) -> None:
        """Find sources and probabilities of the answers in another thread; a new question need not wait."""
        columns = [column for column in self.columns if column.written]
        for column in columns if self.has_sources.value else []:
            await self._run_analysis(column.find_sources)
        for column in columns if self.view.value == PROBABILITIES else []:
            await self._run_analysis(column.score, columns)

    async def _run_analysis(self, action: Callable, *given: Any) -> None:
        try:
            await asyncio.to_thread(action, *given)
        except Exception as error:  # in a task it would not be shown
            if (text := alert(describe(error))) not in self.message.value:  # errors of other columns stay
                self.message.value += text
        self._show_columns()

    def _show_view(self) -> None:
        self._show_columns()
        if not self._is_busy():
            self._flushing = asyncio.get_running_loop().create_task(self._analyze())

    def _find(self, text: str) -> list[attribution.Span]:
        with self._index_lock:  # one index for all columns
            if self._index is None:
                self._index = attribution.Index.of_run(self.run_dir, self.data_dir)
        return self._index.spans(text)

    def _is_busy(self) -> bool:
        return any(column.is_writing for column in self.columns)

    def _require_idle(self) -> None:
        if self._is_busy():
            raise UserError("The models are still generating: wait, or press Stop.")

    def _column(self, chosen: str) -> Column:
        column = Column(self.choices, chosen, self.models, self._find, self.tasks.result)
        column.free_button.on_click(guarded(lambda: self._free(column), self.message))
        column.remove_button.on_click(guarded(lambda: self._remove(column), self.message))
        return column

    def _add_column(self) -> None:
        if len(self.columns) >= MAX_COLUMNS:
            raise UserError(f"There are {MAX_COLUMNS} columns already: remove one first.")
        taken = {column.label for column in self.columns}
        self.columns.append(self._column(next((name for name in self.choices if name not in taken), "base")))
        self._arrange_columns()

    def _remove(self, column: Column) -> None:
        if column.is_writing:
            raise UserError("This model is still generating: wait, or press Stop.")
        if len(self.columns) == 1:
            raise UserError("The last column cannot be removed: choose another model in it.")
        self.columns.remove(column)
        self._arrange_columns()

    def _free(self, column: Column) -> None:
        self._require_idle()
        self.models.free(column.name)
        self._show_memory()

    def _arrange_columns(self) -> None:
        for number, column in enumerate(self.columns, start=1):
            column.set_number(number)
            column.remove_button.disabled = len(self.columns) == 1
        self.column_box.children = self.columns
        self.add_button.disabled = len(self.columns) >= MAX_COLUMNS
        self._show_memory()

    def _show_columns(self) -> None:
        for column in self.columns:
            column.show(self.view.value == PROBABILITIES)
        self._show_memory()

    def _show_memory(self) -> None:
        labels, sizes = {name: label for label, name in self.choices.items()}, self.models.sizes()
        loaded = ", ".join(f"{labels.get(name, name)} {format_bytes(number)}" for name, number in sizes.items())
        update(self.memory, value=f'<p style="{LINE}">In memory: {escape(loaded or "no models")}</p>')

    def _shown_texts(self) -> tuple[str, ...]:
        if self.mode.value != INSTRUCTION:
            return ("text",)
        return ("instruction", "input", "system") if self.config.template == CHAT else ("instruction", "input")

    def _show_mode(self) -> None:
        shown = self._shown_texts()
        for name in ("system", "instruction", "input", "text"):
            getattr(self, name).layout.display = "" if name in shown else "none"
        self.is_continued.layout.display = self.system.layout.display
        self.mark.layout.display = "" if self.mode.value == FILL else "none"
        self._show_prompt()

    def _show_prompt(self) -> None:
        """Show the prompt and its number of tokens, or why the question is invalid."""
        try:
            if self._preview is None:
                context = context_of(loading.load_config(self.config))
                tokenizer = loading.load_tokenizer(self.config.model_name_or_path, self.config.revision)
                self._preview = tokenizer, context
            prompt = self.question().ask(*self._preview)
            self.prompt.value = pre(f"{len(prompt.ids):,} tokens. {prompt.note}") + "<hr>" + pre(prompt.shown)
        except UserError as error:
            self.prompt.value = pre(str(error))

    def _take_example(self) -> None:
        mode, texts = EXAMPLES.get(self.example.value, (self.mode.value, {}))
        if self.example.value == WITH_TESTS:
            mode, texts = INSTRUCTION, {"instruction": instruction(self.tasks.result()[0]), "input": ""}
        self.mode.value = mode
        for name, text in texts.items():
            getattr(self, name).value = text

    def _restore(self, record: dict[str, Any]) -> None:
        """Show a question of the history in the fields, and its answers in the columns."""
        self._require_idle()
        question = question_of(record)
        self.mode.value = question.mode
        for name in self._shown_texts():
            getattr(self, name).value = getattr(question, name)
        self.sampling.put(question.settings, question.num_answers)
        self.columns = [self._column(next(iter(self.choices))) for _ in record["columns"]]
        for column, kept in zip(self.columns, record["columns"], strict=True):
            column.restore(question, kept)
        self._arrange_columns()
        self._show_columns()
        self.view.value = TEXT
