"""The tasks that the playground knows: those made here and those of the run's evaluations, without a download."""

import json
import shutil

import pytest

from utils.data import sources
from utils.data.basics.pairs import SETS
from utils.evaluation import task_questions, tasks
from utils.evaluation.measure import SETTINGS
from utils.model.prompt_modes import COMPLETION, INSTRUCTION, Question

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
    monkeypatch.setattr(tasks, "_mbpp", lambda *_: pytest.fail("a download"))
    names = [sources.HUMANEVAL, tasks.MBPP, str(tmp_path / "gone.jsonl"), "no such set"]
    names += ["a\0.jsonl", "\ud800.jsonl", "~no one/x.jsonl", f"{'x' * 5000}.jsonl", str(tmp_path / "folder.jsonl")]
    (tmp_path / "folder.jsonl").mkdir()
    for number, content in enumerate([*({"tasks": name} for name in names), {"tasks": 1}, []]):
        evaluated(tmp_path, number, content)
    assert task_questions.known(tmp_path, tmp_path) == basics


@pytest.mark.parametrize("rest", ["", "\n\ndef other(", "\nclass A:\n    pass", "\nprint(one())\n\ndef f():"])
def test_a_completion_ends_where_its_function_is_over(rest, basics):
    assert tasks.source_of(basics[0], f"    return a + b{rest}", True).rstrip() == f"{basics[0].prompt}    return a + b"
