"""Benchmark contamination: training pairs that share text with the tasks of a benchmark."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from utils import files, paths
from utils.data import ngram_index
from utils.data.json_stream import MAX_ARRAY_BYTES
from utils.data.reader import PAIR_FIELDS
from utils.errors import UserError, unknown

NUM_WORDS = 10  # so many consecutive words are rarely a coincidence, boilerplate aside
MIN_SOLUTION_CHARACTERS = 20  # without spaces: shorter solutions (`return a + b`) are not specific
FIELDS = ("prompt", "canonical_solution", "task_id")


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
    has_solution: bool


def read(benchmarks: Sequence[str]) -> list[Task]:
    """The tasks of .jsonl and .jsonl.gz files, with `prompt` and optionally `canonical_solution` and `task_id`.

    Other field names follow the file: `mbpp.jsonl:prompt=text,canonical_solution=code`. Raises `UserError` for a
    file that cannot be read, a line that is not an object, and a field that is missing or not text.
    """
    return [task for benchmark in benchmarks for task in _read(str(benchmark))]


def _read(benchmark: str) -> list[Task]:
    name, colon, declared = benchmark.rpartition(":")
    if not colon or "=" not in declared or ".jsonl" in declared:
        name, declared = benchmark, ""
    fields = dict.fromkeys(FIELDS, "")
    for pair in filter(None, declared.split(",")):
        known, _, its_name = pair.partition("=")
        if known not in FIELDS:
            raise unknown("field of a benchmark", known, FIELDS)
        if not its_name or "=" in its_name:
            raise UserError(f"{pair!r} is not a field of a benchmark. Write FIELD=ITS_NAME, such as prompt=text.")
        fields[known] = its_name
    path = paths.absolute(name)
    return [_task(path, number, value, fields) for number, value in read_lines(path)]


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a .jsonl or .jsonl.gz file with the numbers of their lines; at most `MAX_ARRAY_BYTES` in all.

    Raises `UserError` for a file that cannot be read and for a line that is not an object.
    """
    try:
        with open(path.resolve(strict=True), "rb", opener=files.opener) as raw:
            content = (gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw).read(MAX_ARRAY_BYTES + 1)
        if len(content) > MAX_ARRAY_BYTES:
            raise UserError(f"{path.absolute()} has more than {MAX_ARRAY_BYTES:,} bytes.")
        lines = content.decode().split("\n")
    except (OSError, EOFError, zlib.error, ValueError, RuntimeError) as error:
        hint = "Tasks are .jsonl or .jsonl.gz files."
        raise UserError(f"{path.absolute()} cannot be read: {error}. {hint}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}:{number}: not JSON ({error}). There is one object on each line.") from error
        if not isinstance(value, dict):
            raise UserError(f"{path}:{number}: expected an object, one on each line.")
        yield number, value


def _task(path: Path, number: int, value: dict[str, Any], fields: dict[str, str]) -> Task:
    place = f"{path}:{number}"
    texts = {}
    for known, declared in fields.items():
        name = declared or known
        if name not in value and (declared or known == "prompt"):
            hint = f" Declare another name as {path.name}:{known}=<its name>."
            raise UserError(f"{place}: {unknown('field', name, value)}{hint}")
        texts[known] = value.get(name, "")
        if not isinstance(texts[known], str | int) or known != "task_id" and not isinstance(texts[known], str):
            raise UserError(f"{place}: {name!r} must be text, got {type(texts[known]).__name__}.")
    benchmark, task = re.sub(r"\.jsonl(\.gz)?$", "", path.name), str(texts["task_id"] or number)
    name = task if task.startswith(benchmark) else f"{benchmark} {task}"  # HumanEval/7 has it already
    return Task(name, texts["prompt"], texts["canonical_solution"])


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
        return Overlap(task, f"{task.name}: its whole solution is in the response", True)
    num_words = len(ngram_index.WORDS.findall(run))
    return Overlap(task, f"{task.name}: {num_words} consecutive words, “{' '.join(run.split())}”", False)
