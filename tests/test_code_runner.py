"""The Run button of the playground: answers, calls, endings and errors of the sandbox, without a model."""

import asyncio
from html import escape
from threading import Event
from types import SimpleNamespace

import pytest

from support.payloads import PAYLOADS
from utils.errors import UserError
from utils.model.generation import END_OF_TEXT
from utils.model.prompt_modes import COMPLETION, CURSOR, FILL, INSTRUCTION, Question
from utils.playground.history import Written
from utils.sandbox.guest import Outcome
from utils.widgets import code_runner
from utils.widgets.code_runner import CodeRunner
from utils.widgets.playground_column import Column

ADD = "def add(a, b):\n    return a + b"


def press(runner: CodeRunner) -> str:
    """What the page says after Run."""

    async def press_and_wait():
        runner.button.click()
        await runner.wait()

    asyncio.run(asyncio.wait_for(press_and_wait(), 60))
    return runner.status.value + runner.result.value


def runner_of(program: str, call: str = "") -> CodeRunner:
    runner = CodeRunner()
    runner.offer([program])
    runner.call.value = call
    return runner


def column_of(question: Question, *answers: str) -> Column:
    column = Column({"base": "name"}, "base", SimpleNamespace(), lambda text: [])
    answered = [vars(Written(text, END_OF_TEXT, [], 1, 0.1, 9.0)) for text in answers]
    column.restore(question, {"model": "base", "name": "name", "prompt": "", "note": "", "answers": answered})
    column.show()
    return column


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "call", "said"),
    [
        (ADD, "add(1, 2)", ["✔ ended", "<b>Value</b>", ">3<"]),
        (ADD, "", ["✔ ended", "no output and no value"]),
        ("print('<b>hello</b>')", "", ["✔ ended", "<b>Printed</b>", "&lt;b&gt;hello&lt;/b&gt;"]),
        (ADD, "add(1)", ["✘ raised an error", "TypeError", "line 3"]),
        ("def f(:", "", ["✘ not valid Python", "SyntaxError"]),
        ("open('/etc/passwd')", "", ["✘ raised an error", "FileNotFoundError"]),
        ("print('x' * 10**8)", "", ["✘ too much output", "<b>Printed</b>"]),
    ],
)
def test_what_a_program_does_is_shown(program, call, said):
    page = press(runner_of(program, call))
    assert [text for text in said if text not in page] == [] and len(page) < 100_000


@pytest.mark.slow
def test_an_endless_loop_ends_and_blocks_nothing(monkeypatch):
    monkeypatch.setattr(code_runner.guest.run, "__defaults__", (code_runner.guest.Limits(seconds=1.0),))
    runner = runner_of("while True:\n    pass")

    async def press_twice():
        runner.button.click()
        assert runner.button.disabled and "running" in runner.status.value
        await asyncio.sleep(0.1)  # the loop of the kernel is free meanwhile
        await runner.wait()

    asyncio.run(asyncio.wait_for(press_twice(), 60))
    assert "✘ timed out after" in runner.status.value and not runner.button.disabled
    assert code_runner.LIMITS.seconds == 10 and "10 s" in code_runner.SANDBOX


@pytest.mark.parametrize("payload", PAYLOADS[:20])
def test_nothing_that_a_program_says_becomes_html(payload, monkeypatch):
    monkeypatch.setattr(code_runner.guest, "run", lambda source: Outcome(payload, payload, payload, payload))
    assert payload not in press(runner_of("1"))


def test_without_a_sandbox_the_sentence_is_shown(monkeypatch):
    def refuse(source):
        raise UserError("the sandbox needs <wasmtime>")

    monkeypatch.setattr(code_runner.guest, "run", refuse)
    runner = runner_of("1")
    assert escape("the sandbox needs <wasmtime>") in press(runner) and not runner.button.disabled


def test_a_result_of_other_answers_is_not_shown(monkeypatch):
    is_started, may_end, runner = Event(), Event(), runner_of("1")

    def run(source):
        is_started.set()
        may_end.wait(20)
        return Outcome("ended", "", "an old value")

    monkeypatch.setattr(code_runner.guest, "run", run)

    async def ask_meanwhile():
        runner.button.click()
        await asyncio.to_thread(is_started.wait, 20)
        runner.offer([])
        runner.offer(["2"])
        assert runner.button.disabled, "one program at a time"
        may_end.set()
        await runner.wait()

    asyncio.run(asyncio.wait_for(ask_meanwhile(), 60))
    assert "an old value" not in runner.result.value and not runner.button.disabled


@pytest.mark.parametrize(
    ("question", "answer", "source"),
    [
        (Question(INSTRUCTION, "Add."), f"Like this:\n```python\n{ADD}\n```\nDone.", f"{ADD}\n\n"),
        (Question(INSTRUCTION, "Add."), ADD, f"{ADD}\n"),
        (Question(COMPLETION, text="def f():\n"), "    return 1", "def f():\n    return 1\n"),
        (Question(FILL, text=f"def f():\n    return {CURSOR}\nf()"), "1", "def f():\n    return 1\nf()\n"),
    ],
)
def test_a_column_runs_the_code_of_its_answer(question, answer, source, monkeypatch):
    ran = []
    monkeypatch.setattr(code_runner.guest, "run", lambda source: ran.append(source) or Outcome("ended", ""))
    press(column_of(question, answer).runner)
    assert ran == [source]


def test_of_several_answers_one_is_chosen(monkeypatch):
    ran = []
    monkeypatch.setattr(code_runner.guest, "run", lambda source: ran.append(source) or Outcome("ended", ""))
    column = column_of(Question(INSTRUCTION, "Count.", num_answers=2), "1", "2")
    column.set_number(3)
    assert column.runner.answer.layout.display == "" and column.runner.button.description == "Run 3"
    column.runner.answer.value = 1
    press(column.runner)
    assert ran == ["2\n"]


def test_without_answers_nothing_can_run():
    assert column_of(Question(INSTRUCTION, "Add.")).runner.button.disabled
