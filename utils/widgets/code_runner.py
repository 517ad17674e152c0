"""Runs an answer's code in the sandbox when a button is pressed, and shows what it printed, its value or its error.

The answer to a task is judged by the task's tests, unless the user types a call.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from html import escape

import ipywidgets as widgets

from utils.evaluation.tasks import unfenced
from utils.sandbox import guest, judge
from utils.sandbox.guest import SCRIPT_LIMITS as LIMITS
from utils.widgets import evaluation_view
from utils.widgets.html import FRAMED, LINE, alert, describe, guarded, pre, update

SANDBOX = (
    "Run executes the code in a sandbox: Python's standard library in WebAssembly, without files, network or processes "
    f"of this machine. Limits: {LIMITS.seconds:.0f} s, {LIMITS.memory_bytes // 2**20} MiB of memory, "
    f"{LIMITS.output_bytes // 2**10} KiB of output. If the question is a task as notebook 06 asks it, and Call is "
    f"empty, the task's tests judge the answer, within {judge.LIMITS.seconds:.0f} s."
)
CALL = "optional: add(1, 2)"
KINDS = {  # others are shown as they are
    "ended": "✔ ended",
    "raised": "✘ raised an error",
    "not Python": "✘ not valid Python",
}


class CodeRunner(widgets.VBox):
    """Below a model's answers: which one, an optional call, the button and the result.

    `offer` sets the programs. Without a page, press `button` in a running loop, and `await wait()`.
    """

    def __init__(self):
        self.programs: list[str] = []
        self.task: judge.Task | None = None
        self._running: asyncio.Task | None = None
        wide = dict(layout={"width": "auto"}, style={"description_width": "5em"})
        self.answer, self.call = widgets.Dropdown(**wide), widgets.Text(placeholder=CALL, **wide)
        self.button = widgets.Button(icon="play", disabled=True, layout=widgets.Layout(width="7em"))
        self.status = widgets.HTML()
        self.result = widgets.HTML(layout=widgets.Layout(max_height="20em", **FRAMED), tabbable=True)
        self.button.on_click(guarded(self._start, self.status))
        super().__init__([self.answer, self.call, self.button, self.status, self.result])
        self._show()

    def set_number(self, number: int) -> None:
        for name, control in {"Run": self.button, "Call": self.call, "Answer": self.answer}.items():
            control.description = f"{name} {number}"

    def offer(self, programs: list[str], task: judge.Task | None = None) -> None:
        """The programs that can run from now on, one per answer to `task`; the result of another one is removed."""
        if (programs, task) != (self.programs, self.task):
            self.programs, self.task = programs, task
            self.call.placeholder = f"empty: the tests of {task.task_id}" if task else CALL
            self.answer.options = [(f"{index + 1} of {len(programs)}", index) for index in range(len(programs))]
            self.answer.index = 0 if programs else None
            self._show()

    async def wait(self) -> None:
        if self._running:
            await self._running

    def _start(self) -> None:
        source, call = self.programs[self.answer.value], self.call.value.strip()
        work = partial(_judge, self.task, source) if self.task and not call else partial(_run, f"{source}\n{call}")
        self._running = asyncio.get_running_loop().create_task(self._work(work))
        self._show("running (the first time, the sandbox is compiled: up to a minute)")

    async def _work(self, work: Callable[[], tuple[str, str]]) -> None:
        programs = self.programs
        try:
            shown = await asyncio.to_thread(work)
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


def _run(source: str) -> tuple[str, str]:
    """How a program ended; and what it printed, and the value of its last expression or its error, as HTML."""
    start, outcome = time.monotonic(), guest.run(source)
    ending = f"{KINDS.get(outcome.kind, f'✘ {outcome.kind}')} after {time.monotonic() - start:.1f} s"
    result = _texts({"Printed": outcome.output, "Value": outcome.value, "Error": outcome.error})
    return ending if result or outcome.kind != "ended" else f"{ending}: no output and no value", result


def _judge(task: judge.Task, source: str) -> tuple[str, str]:
    """Whether a program passes a task's tests; and why not, and what it printed, as HTML."""
    verdict = judge.judge(task, source)
    ending = f"{'✔' if verdict.passed else '✘'} tests of {task.task_id}: {verdict.kind} after {verdict.seconds:.1f} s"
    return ending, _texts(evaluation_view.reasons(verdict))


def _texts(named: dict[str, str]) -> str:
    return "".join(f'<p style="{LINE}margin: 0"><b>{name}</b></p>{pre(text)}' for name, text in named.items() if text)
