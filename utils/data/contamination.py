"""Benchmark contamination: training pairs that share text with the tasks of a benchmark."""

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from utils import paths
from utils.data import json_stream, ngram_index
from utils.data.faults import Fault
from utils.data.reader import PAIR_FIELDS
from utils.errors import UserError

NUM_WORDS = 10  # so many consecutive words are rarely a coincidence, boilerplate aside
MIN_SOLUTION_CHARACTERS = 20  # without spaces: shorter solutions (`return a + b`) are not specific
FORM = "Tasks are .jsonl or .jsonl.gz files with one object on each line."


class Task(NamedTuple):
    """One task of a benchmark, by a name that says which benchmark."""

    name: str
    prompt: str
    solution: str

    @property
    def text(self) -> str:
        return f"{self.prompt}\n{self.solution}"


class Overlap(NamedTuple):
    """What a pair shares with a task; `note` says it in words."""

    task: Task
    note: str


def read(benchmarks: Sequence[str]) -> list[Task]:
    """The tasks of .jsonl and .jsonl.gz files, with `prompt` and optionally `canonical_solution` and `task_id`.

    Raises `UserError` as `read_lines` does, and for a field that is missing or not text.
    """
    return [_task(path, *item) for path in map(paths.absolute, benchmarks) for item in read_lines(path)]


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a .jsonl or .jsonl.gz file with the numbers of their lines; at most `MAX_ARRAY_BYTES` in all.

    Raises `UserError` for a file that cannot be read and for a line that is not an object.
    """
    with json_stream.opened(path) as file:
        content = file.read(json_stream.MAX_ARRAY_BYTES + 1)
    if len(content) > json_stream.MAX_ARRAY_BYTES:
        raise UserError(f"{path.absolute()} has more than {json_stream.MAX_ARRAY_BYTES:,} bytes.")
    for item in json_stream.lines(BytesIO(content)):
        if isinstance(item, Fault) or not item.is_read:
            raise UserError(f"{path}{item if isinstance(item, Fault) else item.faults[0]}. {FORM}")
        if not isinstance(item.value, dict):
            raise UserError(f"{path}:{item.place.line}: expected an object. {FORM}")
        yield item.place.line or 0, item.value


def _task(path: Path, number: int, value: dict[str, Any]) -> Task:
    name, prompt, solution = value.get("task_id", ""), value.get("prompt"), value.get("canonical_solution", "")
    if not isinstance(name, str | int) or not isinstance(prompt, str) or not isinstance(solution, str):
        raise UserError(
            f"{path}:{number}: a task has the text field 'prompt', and may have 'canonical_solution' and 'task_id'. "
            "Rename the fields as HumanEval has them."
        )
    benchmark, task = re.sub(r"\.jsonl(\.gz)?$", "", path.name), str(name or number)
    name = task if task.startswith(benchmark) else f"{benchmark} {task}"  # HumanEval/7 has it already
    return Task(name, prompt, solution)


def overlaps(rows: Sequence[dict[str, str]], tasks: Sequence[Task]) -> dict[int, list[Overlap]]:
    """The overlaps of every row that shares text with tasks: {row number: its overlaps, one per task}.

    An overlap is `NUM_WORDS` consecutive words of prompt or solution, case and punctuation ignored, or a whole
    solution, white space ignored. Not covered: reworded or translated tasks.
    """
    index = ngram_index.NgramIndex((task.text for task in tasks), NUM_WORDS, ngram_index.WORDS)
    solutions = [" ".join(task.solution.split()) for task in tasks]
    # Longer solutions are found by their words.
    short = [
        n for n, text in enumerate(solutions) if len(ngram_index.WORDS.findall(text)) < NUM_WORDS and _is_specific(text)
    ]
    found = {}
    for number, row in enumerate(rows):
        text = "\n".join(row[name] for name in PAIR_FIELDS)
        runs = {
            span.row: text[span.start : span.end]
            for span in sorted(index.spans(text), key=lambda span: span.end - span.start)
        }
        response = " ".join(row["response"].split()) if runs or short else ""
        contained = {n for n in {*runs, *short} if _is_specific(solutions[n]) and solutions[n] in response}
        if runs or contained:
            found[number] = [_overlap(tasks[n], runs.get(n, ""), n in contained) for n in sorted({*runs, *contained})]
    return found


def _is_specific(solution: str) -> bool:
    return len(solution.replace(" ", "")) >= MIN_SOLUTION_CHARACTERS


def _overlap(task: Task, run: str, has_solution: bool) -> Overlap:
    if has_solution:
        return Overlap(task, f"{task.name}: its whole solution is in the response")
    num_words = len(ngram_index.WORDS.findall(run))
    return Overlap(task, f"{task.name}: {num_words} consecutive words, “{' '.join(run.split())}”")
