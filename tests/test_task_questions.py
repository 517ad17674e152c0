"""The tasks that the playground knows: those made here and those of the run's evaluations, without a download."""

import json
import shutil
from dataclasses import replace

import pytest

from utils.data import sources
from utils.data.basics.pairs import SETS
from utils.evaluation import task_questions, tasks
from utils.evaluation.measure import SETTINGS
from utils.model.prompt_modes import COMPLETION, INSTRUCTION, Question
from utils.sandbox.judge import Task

OWN = {"task_id": "own/1", "prompt": "def one():\n", "entry_point": "one", "test": "def check(candidate):\n    pass\n"}


@pytest.fixture
def basics(tmp_path):
    return [task for name in SETS for task in tasks.load(name, tmp_path)]


def evaluated(run_dir, number: int, content) -> None:
    folder = run_dir / "evaluation" / f"set-{number}"
    folder.mkdir(parents=True)
    (folder / SETTINGS).write_text(json.dumps(content))


def test_a_quick_look_has_as_many_tasks_of_each_set_in_turn(basics, tmp_path):
    few = tasks.load(tasks.BASICS, tmp_path)
    groups = [task.task_id.partition("/")[0] for task in few]
    assert groups == ["compositions", "wordings", "everyday"] * 20
    assert len({task.task_id for task in few}) == len(few) and all(task in basics for task in few)


def test_every_task_made_here_is_found_by_both_ways_of_asking(basics):
    for task in basics:
        assert task_questions.task_of(Question(INSTRUCTION, tasks.instruction(task)), basics) == task
        assert task_questions.task_of(Question(COMPLETION, text=task.prompt.strip("\n")), basics) == task


def test_tasks_of_a_file_that_an_evaluation_used_are_known(basics, tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(OWN) + "\n")
    for number, content in enumerate([{"tasks": str(path)}, {"tasks": str(path)}, {"tasks": tasks.BASICS}]):
        evaluated(tmp_path, number, content)
    assert [task.task_id for task in task_questions.known(tmp_path, tmp_path)[len(basics) :]] == ["own/1"]


def test_humaneval_is_known_once_it_is_here(basics, tmp_path, shared_data):
    evaluated(tmp_path, 1, {"tasks": sources.HUMANEVAL})
    (tmp_path / "raw").mkdir()
    shutil.copytree(shared_data / "humaneval", tmp_path / "raw" / sources.HUMANEVAL)
    known = task_questions.known(tmp_path, tmp_path)
    assert len(known) == len(basics) + 164
    assert task_questions.task_of(Question(COMPLETION, text=known[-1].prompt), known) == known[-1]


def test_nothing_is_downloaded_and_what_cannot_be_read_is_left_out(basics, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_download", lambda *_: pytest.fail("a download"))
    (tmp_path / "raw" / sources.HUMANEVAL).mkdir(parents=True)
    (tmp_path / "raw" / sources.HUMANEVAL / "of-another-commit.jsonl.gz").touch()
    monkeypatch.setattr(tasks, "_mbpp", lambda *_: pytest.fail("a download"))
    names = [sources.HUMANEVAL, tasks.MBPP, str(tmp_path / "gone.jsonl"), "no such set"]
    names += ["a\0.jsonl", "\ud800.jsonl", "~no one/x.jsonl", f"{'x' * 5000}.jsonl", str(tmp_path / "folder.jsonl")]
    (tmp_path / "folder.jsonl").mkdir()
    for number, content in enumerate([*({"tasks": name} for name in names), {"tasks": 1}, []]):
        evaluated(tmp_path, number, content)
    assert task_questions.known(tmp_path, tmp_path) == basics


@pytest.mark.parametrize("rest", ["", "\n\ndef other(", "\nclass A:\n    pass", "\nprint(one())\n\ndef f():"])
def test_a_completion_ends_where_its_function_is_over(rest, basics):
    program = tasks.source_of(basics[0], f"    return a + b{rest}", basics[0].prompt)
    assert program.rstrip() == f"{basics[0].prompt}    return a + b"


@pytest.mark.parametrize("end", ["", "\n", "    # the sum", "\n    ", "\n\n"])
def test_white_space_at_the_end_of_a_text_to_complete_asks_the_same_task_and_is_kept(end):
    task = Task("own/add", f"def add(a, b):{end}", "add", "")
    for text in (task.prompt, task.prompt.rstrip(), f"{task.prompt}\n  "):
        assert task_questions.task_of(Question(COMPLETION, text=text), [task]) == task
        assert tasks.source_of(task, " and more", text) == f"{text} and more"


ADD = Task("t/add", "import math\n\n\ndef add(a, b):\n", "add", "", instruction="How do I add two numbers?")
NAMING = replace(ADD, instruction="Write a function `add(a, b)`.")
SUM = "def total(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("answer", "offered"),
    [
        (SUM, "total"),
        (f"```python\n{SUM}```\nThis adds.", "total"),
        (f"{SUM}\n\ndef other(a):\n    return a\n", "other"),
        # A helper stands before or after the function that uses it.
        ("def first(a):\n    return a\n\n\ndef total(a, b):\n    return first(a) + b\n", "total"),
        ("def total(a, b):\n    return last(a) + b\n\n\ndef last(a):\n    return a\n", "total"),
        ("def total(a, b):\n    return total(a, b - 1) if b else a\n\n\nprint(total(1, 2))\n", "total"),
        # The name of the task stays what it is, also where no function has it.
        (f"{SUM}\n\ndef add(a, b):\n    return a + b\n\n\ndef other(a):\n    return a\n", ""),
        (f"{SUM}\n\nadd = lambda a, b: total(a, b)\n", ""),
    ],
)
def test_a_person_need_not_name_the_function(answer, offered):
    program = tasks.source_of(ADD, answer, None)
    assert program.startswith(tasks.unfenced(answer)) and (f"\nadd = {offered}\n" in program) == bool(offered)
    assert tasks.source_of(NAMING, answer) == tasks.unfenced(answer), "the instruction has the name"
    assert "import math" not in program, "the instruction shows no imports"


@pytest.mark.parametrize(
    "answer",
    ["", "    return a + b", "from math import hypot as add", "class Adder:\n    pass", "async def total(a):\n    pass"]
    + ["It is easy.", "def total(a", "    return a + b\n\n\ndef total(a, b):\n    return a"],
)
def test_an_answer_without_a_function_stands_behind_the_signature(answer):
    assert tasks.source_of(ADD, answer) == ADD.prompt + answer
    assert tasks.source_of(replace(ADD, instruction=""), answer) == ADD.prompt + answer


def test_imports_that_the_question_shows_need_not_be_repeated():
    answer = "def add(a, b):\n    return math.fsum([a, b])"
    assert tasks.source_of(replace(ADD, instruction=""), answer) == f"import math\n{answer}"
