"""Runs an answer's code in the sandbox when a button is pressed, and shows what it printed, its value or its error."""

import asyncio
import time
from html import escape

import ipywidgets as widgets

from utils.evaluation.tasks import unfenced
from utils.sandbox import guest
from utils.sandbox.guest import SCRIPT_LIMITS as LIMITS
from utils.widgets.html import FRAMED, LINE, alert, describe, guarded, pre, update

SANDBOX = (
    "Run executes the code in a sandbox: Python's standard library in WebAssembly, without files, network or processes "
    f"of this machine. Limits: {LIMITS.seconds:.0f} s, {LIMITS.memory_bytes // 2**20} MiB of memory, "
    f"{LIMITS.output_bytes // 2**10} KiB of output."
)
KINDS = {
    "ended": "✔ ended",
    "raised": "✘ raised an error",
    "not Python": "✘ not valid Python",
    "timed out": "✘ timed out",
    "too much output": "✘ too much output",
    "out of memory": "✘ out of memory",
}


class CodeRunner(widgets.VBox):
    """Below a model's answers: which one, an optional call, the button and the result.

    `offer` sets the programs. Without a page, press `button` in a running loop, and `await wait()`.
    """

    def __init__(self):
        self.programs: list[str] = []
        self._running: asyncio.Task | None = None
        wide = dict(layout={"width": "auto"}, style={"description_width": "5em"})
        self.answer, self.call = widgets.Dropdown(**wide), widgets.Text(placeholder="optional: add(1, 2)", **wide)
        self.button = widgets.Button(icon="play", disabled=True, layout=widgets.Layout(width="7em"))
        self.status, self.result = widgets.HTML(), widgets.HTML(layout=widgets.Layout(max_height="20em", **FRAMED))
        self.button.on_click(guarded(self._start, self.status))
        super().__init__([self.answer, self.call, self.button, self.status, self.result])
        self._show()

    def set_number(self, number: int) -> None:
        for name, control in {"Run": self.button, "Call": self.call, "Answer": self.answer}.items():
            control.description = f"{name} {number}"

    def offer(self, programs: list[str]) -> None:
        """The programs that can run from now on, one per answer; the result of another one is removed."""
        if programs != self.programs:
            self.programs = programs
            self.answer.options = [(f"{index + 1} of {len(programs)}", index) for index in range(len(programs))]
            self.answer.index = 0 if programs else None
            self._show()

    async def wait(self) -> None:
        if self._running:
            await self._running

    def _start(self) -> None:
        source = f"{self.programs[self.answer.value]}\n{self.call.value.strip()}"
        self._running = asyncio.get_running_loop().create_task(self._run(source))
        self._show("running (the first time, the sandbox is compiled: up to a minute)")

    async def _run(self, source: str) -> None:
        programs, start = self.programs, time.monotonic()
        try:
            outcome = await asyncio.to_thread(guest.run, source)
            ending = f"{KINDS.get(outcome.kind, f'✘ {outcome.kind}')} after {time.monotonic() - start:.1f} s"
            found = texts(outcome)
            shown = ending if found or outcome.kind != "ended" else f"{ending}: no output and no value", found
        except Exception as error:  # in a task it would not be shown
            shown = "", "", describe(error)
        self._running = None
        self._show(*shown if programs is self.programs else ())  # else there are other answers now

    def _show(self, status: str = "", result: str = "", error: str = "") -> None:
        line = f'<p role="status" style="{LINE}">{escape(status)}</p>'
        update(self.status, value=alert(error) if error else line)
        update(self.result, value=result)
        self.result.layout.display = "" if result else "none"
        self.answer.layout.display = "" if len(self.programs) > 1 else "none"
        self.button.disabled = self._running is not None or not self.programs


def program(answer: str, before: str = "", after: str = "") -> str:
    """What runs of an answer: its code, between the text before and after it where it continues one."""
    return before + answer + after if before or after else unfenced(answer)


def texts(outcome: guest.Outcome) -> str:
    """What a program printed, and the value of its last expression or its error, as HTML."""
    named = {"Printed": outcome.output, "Value": outcome.value, "Error": outcome.error}
    return "".join(f'<p style="{LINE}margin: 0"><b>{name}</b></p>{pre(text)}' for name, text in named.items() if text)
