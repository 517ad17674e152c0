"""Which task a question of the playground asks, so that its answers are judged by the task's own tests."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from utils import files
from utils.data import sources
from utils.data.basics import pairs as basics
from utils.errors import UserError
from utils.evaluation import tasks as task_sets
from utils.evaluation.measure import SETTINGS
from utils.model.prompt_modes import COMPLETION, INSTRUCTION, Question
from utils.sandbox.judge import Task


def known(run_dir: Path, data_dir: Path) -> list[Task]:
    """The tasks made here and those of the run's evaluations, of sets that need no download and can be read."""
    names = [*basics.SETS]
    for path in sorted(run_dir.glob(f"evaluation/*/{SETTINGS}")):
        with suppress(UserError, FileNotFoundError):
            names.append(files.read_json(path, {"tasks": str})["tasks"])
    tasks: list[Task] = []
    for name in dict.fromkeys(names):
        if name == task_sets.BASICS:  # tasks of the sets above
            continue
        is_cached = name == sources.HUMANEVAL and (data_dir / "raw" / name / Path(sources.HUMANEVAL_URL).name).exists()
        if is_cached or name not in (sources.HUMANEVAL, task_sets.MBPP):
            with suppress(UserError):
                tasks += task_sets.load(name, data_dir)
    return tasks


def task_of(question: Question, tasks: Iterable[Task]) -> Task | None:
    """The task that a question asks as an evaluation does: by the same instruction, or by the same text to complete."""
    for task in tasks:
        if question.mode == COMPLETION and question.text.strip("\n").rstrip() == task.prompt.strip("\n").rstrip():
            return task
        is_same = question.instruction.strip() == task_sets.instruction(task).strip()
        if question.mode == INSTRUCTION and is_same and not question.input.strip():
            return task
    return None
