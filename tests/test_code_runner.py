"""The Run button of the playground: answers, calls, endings and errors of the sandbox, without a model."""

import asyncio
from html import escape
from threading import Event
from types import SimpleNamespace

import pytest

from support.payloads import PAYLOADS
from utils.errors import UserError
from utils.evaluation import tasks
from utils.evaluation.task_questions import task_of
from utils.model.generation import END_OF_TEXT
from utils.model.prompt_modes import COMPLETION, CURSOR, FILL, INSTRUCTION, Question
from utils.playground.history import Written
from utils.sandbox.guest import Outcome
from utils.sandbox.judge import Task, Verdict
from utils.widgets import code_runner
from utils.widgets.code_runner import CodeRunner
from utils.widgets.playground_column import Column

ADD = "def add(a, b):\n    return a + b"
TASK = Task(
    "own/add", "import math\n\n\ndef add(a, b):\n", "add", "def check(candidate):\n    assert candidate(1, 2) == 3\n"
)
ASKED = Question(INSTRUCTION, f"{tasks.instruction(TASK)}\n")


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
    column = Column({"base": "name"}, "base", SimpleNamespace(), lambda text: [], lambda: [TASK])
    answered = [vars(Written(text, END_OF_TEXT, [], 1, 0.1, 9.0)) for text in answers]
    column.restore(
        question, {"model": "base", "name": "name", "prompt": "", "note": "", "turns": [], "answers": answered}
    )
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


@pytest.mark.parametrize("payload", PAYLOADS[:20])
def test_nothing_that_a_program_or_a_verdict_says_becomes_html(payload, monkeypatch):
    monkeypatch.setattr(code_runner.guest, "run", lambda source: Outcome(payload, payload, payload, payload))
    assert payload not in press(runner_of("1"))
    facts = dict.fromkeys(("assertion", "last_call", "got", "expected", "traceback", "output"), payload)
    monkeypatch.setattr(code_runner.judge, "judge", lambda task, source: Verdict(False, payload, payload, 0.1, facts))
    page = press(column_of(ASKED, ADD).runner)
    assert payload not in page and page.count(escape(payload)) >= 5


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
        assert "running" in runner.status.value
        await asyncio.to_thread(is_started.wait, 20)  # the loop of the kernel is free meanwhile
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        (ASKED, f"```python\n{ADD}\n```", ["✔ tests of own/add: passed after"]),
        (ASKED, "    return math.floor(a + b)", ["✔ tests of own/add: passed after"]),
        (
            ASKED,
            ADD.replace("+", "-"),
            ["✘ tests of own/add: failed after", "<b>Failed assertion</b>", "candidate(1, 2) == 3", ">-1<", ">3<"],
        ),
        (ASKED, ADD.replace("return", "return c +"), ["✘ tests of own/add: raised after", "NameError", "Traceback"]),
        # A model that completes rarely stops after the function.
        (Question(COMPLETION, text=TASK.prompt), "    return a + b\n\n\ndef next(", ["✔ tests of own/add: passed"]),
    ],
)
def test_the_answer_to_a_task_is_judged_by_its_tests(question, answer, said):
    page = press(column_of(question, answer).runner)
    assert [text for text in said if text not in page] == []
    assert page.startswith("<p role=") and ("✔" in page) == ("✔" in said[0])


def test_a_typed_call_runs_also_for_a_task(monkeypatch):
    ran, runner = [], column_of(ASKED, ADD).runner
    monkeypatch.setattr(code_runner.guest, "run", lambda source: ran.append(source) or Outcome("ended", "", "3"))
    monkeypatch.setattr(code_runner.judge, "judge", lambda task, source: pytest.fail("judged"))
    assert runner.call.placeholder == "empty: the tests of own/add"
    runner.call.value = "add(1, 2)"
    assert "✔ ended" in press(runner) and ran == [f"import math\n{ADD}\nadd(1, 2)"]


@pytest.mark.parametrize(
    "question",
    [
        Question(INSTRUCTION, "Write this Python function."),
        Question(INSTRUCTION, ASKED.instruction, input="with an input"),
        Question(INSTRUCTION, TASK.prompt),
        Question(COMPLETION, ASKED.instruction, text=ASKED.instruction),
        Question(COMPLETION, text=f"{TASK.prompt}    return"),
        Question(FILL, ASKED.instruction, text=f"{TASK.prompt}{CURSOR}"),
    ],
)
def test_other_questions_are_not_judged(question):
    assert task_of(question, [TASK]) is None
    column = column_of(question, ADD)
    assert column.runner.task is None and column.runner.call.placeholder == code_runner.CALL


def test_another_question_removes_the_task_and_its_result(monkeypatch):
    monkeypatch.setattr(code_runner.judge, "judge", lambda task, source: Verdict(True, "passed", "passed", 0.1))
    runner = column_of(ASKED, ADD).runner
    assert "✔ tests of own/add" in press(runner)
    runner.offer(runner.programs)
    assert runner.task is None and "own/add" not in runner.status.value + runner.call.placeholder
