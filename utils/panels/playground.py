"""The playground: one instruction, answered side by side by several models, each streaming as it writes.

Every model writes in a thread of its own, which only appends text; one asyncio task carries the text to the page ten
times a second. Whatever a model wrote is escaped before it is shown, and never run.
"""

import asyncio
import time
from collections.abc import Callable
from html import escape
from threading import Event, Lock, Thread
from typing import Any

import ipywidgets as widgets

from utils.errors import UserError
from utils.generate import Draft, GenerationSettings, stream
from utils.panels.text import BORDER, FRAMED, describe, guarded, pre
from utils.prompts import ALPACA, encode_prompts, format_prompt

FLUSH_SECONDS = 0.1
WIDE = {"description_width": "9em"}


def side_by_side(answers: list[dict[str, str]], names: tuple[str, ...] = ("base", "tuned")) -> str:
    """Recorded answers (`instruction`, `input` and one field per name) as an HTML table, everything escaped."""
    cell = f'style="width: {100 // len(names)}%; vertical-align: top; text-align: left; padding: 6px" '
    rows = []
    for answer in answers:
        texts = ["\n\n".join(part for part in (answer["instruction"], answer["input"]) if part)]
        texts += [answer[name] for name in names]
        asked, *written = (pre(text, f"border: {BORDER}; max-height: 26em; overflow-y: auto") for text in texts)
        rows.append(f'<td {cell} colspan="{len(names)}"><b>asked</b>{asked}</td>')
        cells = [f"<td {cell}><b>{escape(name)}</b>{text}</td>" for name, text in zip(names, written, strict=True)]
        rows.append("".join(cells))
    # Without a background: JupyterLab's stripes would cut each answer off from its question.
    body = "".join(f'<tr style="background: none">{row}</tr>' for row in rows)
    return f'<table style="width: 100%; table-layout: fixed">{body}</table>'


class Column:
    """One model's place: its text as a thread writes it, and the widgets that show it."""

    def __init__(self, name: str, load: Callable[[], tuple[Any, Any]]):
        self.name, self.load = name, load
        self.model_and_tokenizer = None
        self.text = self.status = ""
        self.thread: Thread | None = None
        # The widget scrolls, not the text in it, which is replaced while a reader may have scrolled down.
        self.title, self.page = widgets.HTML(), widgets.HTML(layout=widgets.Layout(height="24em", **FRAMED))
        self.box = widgets.VBox([self.title, self.page], layout=widgets.Layout(flex="1 1 0", min_width="0"))
        self.show()

    @property
    def is_writing(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def start(self, prompt: str, settings: GenerationSettings, stop: Event, template: str, loading: Lock) -> None:
        self.text, self.status = "", "waiting for its model"
        self.thread = Thread(target=self._write, args=(prompt, settings, stop, template, loading), daemon=True)
        self.thread.start()

    def _write(self, prompt: str, settings: GenerationSettings, stop: Event, template: str, loading: Lock) -> None:
        try:
            with loading:  # transformers cannot load two models at once
                if self.model_and_tokenizer is None:
                    self.status = "loading the model"
                    self.model_and_tokenizer = self.load()
            start, (network, tokenizer) = time.monotonic(), self.model_and_tokenizer
            self.status = "reading the prompt"
            for (draft,) in stream(network, tokenizer, encode_prompts([prompt], tokenizer, template), settings, stop):
                self.text, self.status = draft.text, _pace(draft, start)
        except Exception as error:  # in a thread nobody would see it
            self.status = describe(error)

    def show(self) -> None:
        # Assigned only when it changed: every assignment is a message to the page.
        title = f"<b>{escape(self.name)}</b> · {escape(self.status or 'not asked yet')}"
        for widget, value in ((self.title, title), (self.page, pre(self.text))):
            if widget.value != value:
                widget.value = value


def _pace(draft: Draft, start: float) -> str:
    pace = f"{draft.num_tokens} tokens · {draft.num_tokens / (time.monotonic() - start):.0f} tokens/s"
    return f"{draft.reason or 'writing'} · {pace}"


class Playground(widgets.VBox):
    """The panel; display it, or drive it with `generate()`, `await wait()` and `answers` where there is no page.

    `models` gives for each name a function that returns (model, tokenizer), called when the column is first used.
    `notice` is a sentence that always stands above the answers. `template` is the run's; for `chat` it takes the
    models' `tokenizer`. Not covered: freeing a model, models with different tokenizers side by side.
    """

    def __init__(
        self,
        models: dict[str, Callable[[], tuple[Any, Any]]],
        instruction: str = "",
        input: str = "",
        settings: GenerationSettings | None = None,
        notice: str = "",
        template: str = ALPACA,
        tokenizer=None,
    ):
        settings = settings or GenerationSettings()
        text = dict(layout=widgets.Layout(width="auto"), style=WIDE)
        number = dict(layout=widgets.Layout(width="15em"), style=WIDE)
        self.instruction = widgets.Textarea(instruction, description="Instruction", rows=5, **text)
        self.input = widgets.Textarea(input, description="Input (optional)", rows=3, **text)
        self.numbers = {
            "temperature": widgets.BoundedFloatText(min=0, max=5, step=0.1, description="Temperature", **number),
            "top_p": widgets.BoundedFloatText(min=0.01, max=1, step=0.05, description="Top-p", **number),
            "max_new_tokens": widgets.BoundedIntText(min=1, max=8192, description="New tokens", **number),
            "seed": widgets.BoundedIntText(min=0, max=2**31 - 1, description="Seed", **number),
        }
        for name, widget in self.numbers.items():
            widget.value = getattr(settings, name)
        self.generate_button = widgets.Button(description="Generate", button_style="primary", icon="play")
        self.stop_button = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.prompt, self.message = widgets.HTML(layout=widgets.Layout(max_height="20em", **FRAMED)), widgets.HTML()
        self.columns = [Column(name, load) for name, load in models.items()]
        self.template, self.tokenizer = template, tokenizer
        self._stop, self._loading, self._flushing = Event(), Lock(), None
        self.generate_button.on_click(guarded(self.generate, self.message))
        self.stop_button.on_click(guarded(self._stop.set, self.message))
        for field in (self.instruction, self.input):
            field.observe(guarded(self._show_prompt, self.message), "value")
        self._show_prompt()
        rows = [
            *(self.instruction, self.input, widgets.HTML("The prompt, exactly as in training:"), self.prompt),
            widgets.HBox(list(self.numbers.values()), layout=widgets.Layout(flex_flow="row wrap")),
            widgets.HTML("Temperature 0 always takes the likeliest token; above 0, the seed decides the draw."),
            *(widgets.HBox([self.generate_button, self.stop_button]), self.message),
            widgets.HTML(f"<em>{escape(notice)}</em>"),
            widgets.HBox([column.box for column in self.columns], layout=widgets.Layout(grid_gap="12px")),
        ]
        super().__init__(rows)

    @property
    def answers(self) -> dict[str, str]:
        return {column.name: column.text for column in self.columns}

    def generate(self) -> None:
        """Start all columns on the same prompt and seed; raises `UserError` for settings or a prompt that cannot be."""
        if not self.instruction.value.strip():
            raise UserError("The instruction is empty: write what the models shall do.")
        if any(column.is_writing for column in self.columns):
            raise UserError("The models are still writing: wait for them, or press Stop.")
        settings = GenerationSettings(**{name: widget.value for name, widget in self.numbers.items()})
        prompt = self._formatted()
        self._stop.clear()
        self.generate_button.disabled, self.stop_button.disabled = True, False
        for column in self.columns:
            column.start(prompt, settings, self._stop, self.template, self._loading)
        self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def wait(self) -> None:
        """Return when every column has its answer."""
        if self._flushing:
            await self._flushing

    async def _flush(self) -> None:
        is_writing = True
        while is_writing:
            is_writing = any(column.is_writing for column in self.columns)  # asked first: the last text is shown too
            for column in self.columns:
                column.show()
            if is_writing:
                await asyncio.sleep(FLUSH_SECONDS)
        self.generate_button.disabled, self.stop_button.disabled = False, True

    def _formatted(self) -> str:
        return format_prompt(self.instruction.value, self.input.value, self.template, self.tokenizer)

    def _show_prompt(self) -> None:
        self.prompt.value = pre(self._formatted())
