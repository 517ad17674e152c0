"""Pass rates of a run's base and tuned model on the same tasks, judged by running their answers; resumable.

Results lie in `<run>/evaluation/<tasks>-<hash of the settings>/`: settings.json, and samples.jsonl with one line per
sample, so that other settings never overwrite them and an interrupted evaluation resumes with the next task.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from utils import artifacts, files
from utils.config import RunConfig
from utils.data import contamination
from utils.errors import UserError, short
from utils.evaluation import tasks as task_sets
from utils.evaluation.pass_at_k import Comparison, Estimate, compare, estimate, pass_at_k
from utils.model import prompt_modes
from utils.model.generation import GenerationSettings, generate_rows
from utils.model.shape import context_of
from utils.sandbox.judge import Task, judge_all
from utils.tokens.prompts import encode_prompts, format_prompt

BASE, TUNED = "base", "tuned"
GAINED, LOST, BOTH, NEITHER = CHANGES = "gained", "lost", "both", "neither"
SAMPLES, SETTINGS = "samples.jsonl", "settings.json"
BATCH_SIZE = 32  # tasks that are answered at once


@dataclass(frozen=True)
class Settings:
    """What is measured: the tasks, how many samples of each, and how they are drawn (temperature 0: greedy)."""

    tasks: str = task_sets.BASICS
    num_tasks: int = 0  # of the set, the first ones; 0: all
    num_samples: int = 1
    temperature: float = 0.0
    max_new_tokens: int = 256
    seed: int = 0

    def __post_init__(self):
        if self.num_samples < 1 or (self.num_samples > 1 and self.temperature <= 0):
            raise UserError(
                f"num_samples must be at least 1, and 1 at temperature 0, where all samples are equal; got "
                f"{self.num_samples} at temperature {self.temperature}.",
                field="num_samples",
            )


@dataclass(frozen=True)
class Sample:
    """One judged answer: what was asked, the program that ran, and the verdict."""

    task_id: str
    model: str
    index: int
    asked: str
    answer: str
    source: str
    passed: bool
    result: str
    kind: str
    seconds: float
    facts: dict[str, str]


# The fields of a line of `SAMPLES`, and their types.
SAMPLE = {
    **dict.fromkeys(("task_id", "model", "asked", "answer", "source", "result", "kind"), str),
    **{"index": int, "passed": bool, "seconds": files.NUMBER, "facts": {}},
}


def folder_of(run_dir: Path, settings: Settings, tasks: Sequence[Task]) -> Path:
    """The folder of the results of these settings; other settings, tasks, weights or code have another."""
    weights = [(path.name, *path.stat()[6:9:2]) for path in sorted(run_dir.glob("model/*.safetensors"))]  # size, time
    made_of = asdict(settings), [asdict(task) for task in tasks], weights, artifacts.code_sha256(__name__)
    content = repr(made_of)
    return run_dir / "evaluation" / f"{artifacts.slug(settings.tasks)}-{artifacts.sha256_text(content)[:8]}"


def chosen(settings: Settings, data_dir: Path) -> list[Task]:
    """The tasks of these settings."""
    found = task_sets.load(settings.tasks, data_dir)
    return found[: settings.num_tasks or None]


def evaluate(
    run_dir: Path, settings: Settings, tasks: Sequence[Task], load: Callable[[str], tuple[Any, Any]]
) -> Iterator[Sample]:
    """Ask both models for every sample that is not recorded yet; judge, record and yield each.

    `load` returns model and tokenizer of `base` and `tuned`. Both are asked by the instruction in the run's template
    where tasks have their own; else the base continues the beginning of the function. Both draw with the same seeds.
    """
    folder, template = folder_of(run_dir, settings, tasks), RunConfig.load(run_dir / "config.json").template
    files.make_folder(folder)
    files.write_json(folder / SETTINGS, asdict(settings))
    recorded = {(sample.task_id, sample.model, sample.index) for sample in read(folder)}
    has_instructions = all(task.instruction for task in tasks)
    for model in (BASE, TUNED):
        is_instructed = model == TUNED or has_instructions
        for index in range(settings.num_samples):
            # The groups are fixed, since a row's seed depends on its place in the batch.
            for start in range(0, len(tasks), BATCH_SIZE):
                group = tasks[start : start + BATCH_SIZE]
                missing = [task for task in group if (task.task_id, model, index) not in recorded]
                if not missing:
                    continue
                seed = settings.seed + index * len(tasks) + start
                asked, answers = _ask(*load(model), group, settings, template if is_instructed else "", seed)
                programs = [
                    task_sets.source_of(task, answer, None if is_instructed else prompt)
                    for task, prompt, answer in zip(group, asked, answers, strict=True)
                ]
                rows = [row for row in zip(group, asked, answers, programs, strict=True) if row[0] in missing]
                verdicts = judge_all([(task, program) for task, _, _, program in rows])
                for (task, prompt, answer, program), verdict in zip(rows, verdicts, strict=True):
                    sample = Sample(
                        task.task_id, model, index, prompt, answer, program, verdict.passed, verdict.result,
                        verdict.kind, round(verdict.seconds, 3), verdict.facts,
                    )  # fmt: skip
                    files.append_line(folder / SAMPLES, json.dumps(asdict(sample)))
                    yield sample


def complete(
    run_dir: Path,
    settings: Settings,
    tasks: Sequence[Task],
    load: Callable[[str], tuple[Any, Any]],
    show: Callable[[str], None],
) -> list[Sample]:
    """All samples of these settings, the missing ones from `evaluate`; `show` gets the newest line of progress."""
    folder, total, start = folder_of(run_dir, settings, tasks), 2 * settings.num_samples * len(tasks), time.monotonic()
    num_recorded = len(read(folder))
    show(f"{num_recorded:,} of {total:,} answers recorded")
    for number, _ in enumerate(evaluate(run_dir, settings, tasks, load), start=1):
        done = num_recorded + number
        seconds = (time.monotonic() - start) / number * (total - done)
        # The first batch is written before its first answer is judged, which says little about the time left.
        is_known = number >= min(BATCH_SIZE, len(tasks)) and done < total
        left = f", about {timedelta(seconds=round(seconds))} left" if is_known else ""
        show(f"{done:,} of {total:,} answers recorded{left}")
    return read(folder)


def _ask(model, tokenizer, tasks, settings: Settings, template: str, seed: int) -> tuple[list[str], list[str]]:
    """The prompts of tasks and the answers to them; without `template` the model continues the function."""
    context = context_of(model.config)
    generation = GenerationSettings(
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        seed=seed,
        stop=() if template else task_sets.STOP_STRINGS,
    )
    if template:
        prompts = [format_prompt(task_sets.instruction(task), "", template, tokenizer) for task in tasks]
        rows = encode_prompts(prompts, tokenizer, template)
    else:
        # As the field's harnesses do: a line end is one token with the indentation that the model writes after it.
        prompts = [task.prompt.rstrip() for task in tasks]
        rows = [prompt_modes.completion(text, tokenizer, context, settings.max_new_tokens).ids for text in prompts]
    fitting = [number for number, row in enumerate(rows) if len(row) < context]
    answers = [""] * len(rows)
    written = generate_rows(model, tokenizer, [rows[number] for number in fitting], generation) if fitting else []
    for number, answer in zip(fitting, written, strict=True):
        answers[number] = answer.text
    return prompts, answers


def read(folder: Path) -> list[Sample]:
    """The recorded samples of a folder, each once, without a partial last line, which is written again.

    Raises `UserError` for a line that is no sample.
    """
    samples, content = {}, b""
    with suppress(FileNotFoundError):
        content = files.read_bytes(folder / SAMPLES, files.MAX_LINES_BYTES)
    *lines, _ = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
            fault = files.misfit(value, SAMPLE, "the line") or files.misfit([*value["facts"].values()], [str], "facts")
            if not fault and value["model"] not in (BASE, TUNED):
                fault = f"'model' must be {BASE} or {TUNED}, got {short(value['model'])}"
        except (ValueError, RecursionError):
            fault = "this line is not JSON"
        if fault:
            raise UserError(f"{folder / SAMPLES}:{number}: {fault}. Delete the line, and try again.")
        sample = Sample(**{name: value[name] for name in SAMPLE})
        samples[sample.task_id, sample.model, sample.index] = sample
    return list(samples.values())


@dataclass(frozen=True)
class Result:
    """pass@k of both models and their comparison."""

    k: int
    rates: dict[str, Estimate]
    comparison: Comparison
    changes: dict[str, int]  # tasks gained, lost, both, neither


def result(samples: Sequence[Sample], k: int = 1, shared: frozenset[str] = frozenset()) -> Result:
    """The pass rates of tasks that both models answered with all samples."""
    passed: dict[str, dict[str, list[bool]]] = {BASE: {}, TUNED: {}}
    for sample in samples:
        if sample.task_id not in shared:
            passed[sample.model].setdefault(sample.task_id, []).append(sample.passed)
    both = [task for task in passed[BASE] if len(passed[TUNED].get(task, ())) == len(passed[BASE][task])]
    values = {
        model: [pass_at_k(len(passed[model][task]), sum(passed[model][task]), k) for task in both] for model in passed
    }
    rates = {model: estimate(values[model]) for model in values}
    changed = Counter(changes([sample for sample in samples if sample.task_id in both]).values())
    counts = {name: changed[name] for name in CHANGES}
    return Result(k, rates, compare(values[BASE], values[TUNED]), counts)


def shared_with(pairs: Sequence[dict[str, str]], tasks: Sequence[Task]) -> frozenset[str]:
    """The ids of tasks that share text with training pairs, as `data.contamination` finds it.

    Tasks with an instruction of their own do so when a pair has it. All sentences of their small world are alike; what
    of them was not trained, their source proves by running (`data.basics`).
    """
    asked = {pair["instruction"].strip() for pair in pairs}
    known = [
        contamination.Task(one.task_id, one.prompt, one.canonical_solution) for one in tasks if not one.instruction
    ]
    found = contamination.overlaps(pairs, known).values()
    shared = {overlap.task.name for overlaps in found for overlap in overlaps}
    return frozenset(shared | {one.task_id for one in tasks if one.instruction and one.instruction.strip() in asked})


def changes(samples: Sequence[Sample]) -> dict[str, str]:
    """For each task whether the tuned model gained or lost it: gained, lost, both or neither (any sample passes)."""
    solved: dict[str, set[str]] = {}
    for sample in samples:
        solved.setdefault(sample.task_id, set()).update({sample.model} if sample.passed else ())
    names = {frozenset(): NEITHER, frozenset({BASE}): LOST, frozenset({TUNED}): GAINED}
    return {task: names.get(frozenset(models), BOTH) for task, models in solved.items()}
