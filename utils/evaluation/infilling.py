"""Fill-in-the-middle judged by running: a gap in a task's solution is filled by the model, and the tests decide.

As HumanEval-Infilling (Bavarian et al. 2022, arXiv:2207.14255) has it, a gap is a line or a random span of characters.
Other than an exact match (`form.fills`), this also counts answers in other words. Not covered: gaps of several lines
that are whole, and cutting answers that do not end.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from utils.errors import unknown
from utils.evaluation.form import in_batches
from utils.evaluation.pass_at_k import Estimate, estimate
from utils.model import prompt_modes
from utils.model.generation import GenerationSettings, generate_rows
from utils.model.shape import context_of
from utils.sandbox.judge import Task, Verdict, judge_all
from utils.tokens.packing import spread

LINE, SPAN = KINDS = ("line", "span")
MAX_NEW_TOKENS = 128


@dataclass(frozen=True)
class Gap:
    """A part of a task's program, taken out, with the text before and after it."""

    task: Task
    before: str
    missing: str
    after: str


@dataclass(frozen=True)
class Fill:
    """What the model wrote into a gap, and whether the program then passes the task's tests."""

    gap: Gap
    answer: str
    verdict: Verdict


def gaps(tasks: Sequence[Task], number: int, kind: str = LINE, seed: int = 0) -> list[Gap]:
    """At most `number` gaps in the solutions of tasks: lines that are not blank, evenly spread, or random spans.

    Tasks without a solution have none; spans are as many in every task, give or take one.
    """
    if kind not in KINDS:
        raise unknown("kind of gap", kind, KINDS)
    solved = [task for task in tasks if task.canonical_solution.strip()]
    if kind == LINE:
        return spread([gap for task in solved for gap in _lines(task)], number)
    draw = random.Random(seed)
    chosen = [solved[index % len(solved)] for index in range(number if solved else 0)]
    return [_gap(task, *sorted(draw.sample(range(len(task.canonical_solution) + 1), 2))) for task in chosen]


def _lines(task: Task) -> list[Gap]:
    """Every line that is not blank, with its indentation and without its end."""
    found, start = [], 0
    for line in task.canonical_solution.splitlines(keepends=True):
        if line.strip():
            found.append(_gap(task, start, start + len(line.rstrip("\r\n"))))
        start += len(line)
    return found


def _gap(task: Task, start: int, end: int) -> Gap:
    solution = task.canonical_solution
    return Gap(task, task.prompt + solution[:start], solution[start:end], solution[end:])


def fill(model, tokenizer, gaps: Sequence[Gap], max_new_tokens: int = MAX_NEW_TOKENS) -> list[Fill]:
    """The model's greedy fills, judged; raises `UserError` for a model without fill-in-the-middle tokens."""
    settings, context = GenerationSettings(max_new_tokens=max_new_tokens), context_of(model.config)
    rows = [prompt_modes.between(gap.before, gap.after, tokenizer, context, max_new_tokens).ids for gap in gaps]
    answers = [
        answer.text for answer in in_batches(rows, lambda batch: generate_rows(model, tokenizer, batch, settings))
    ]
    programs = [(gap.task, gap.before + answer + gap.after) for gap, answer in zip(gaps, answers, strict=True)]
    return [Fill(*parts) for parts in zip(gaps, answers, judge_all(programs), strict=True)]


def pass_rate(fills: Sequence[Fill]) -> Estimate:
    """The share of fills that pass: the mean of the tasks' shares, since gaps of one task are alike."""
    passed: dict[str, list[bool]] = {}
    for filled in fills:
        passed.setdefault(filled.gap.task.task_id, []).append(filled.verdict.passed)
    return estimate([sum(results) / len(results) for results in passed.values()])
