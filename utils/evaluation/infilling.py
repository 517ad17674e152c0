"""Fill-in-the-middle judged by running: a gap in a task's solution is filled by the model, and the tests decide.

A gap is a line, as in the single-line tasks of HumanEval-Infilling (Bavarian et al. 2022, arXiv:2207.14255). Other than
an exact match, this also counts answers in other words. Not covered: longer gaps, and cutting answers that do not end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from utils.evaluation.form import in_batches
from utils.evaluation.pass_at_k import Estimate, estimate
from utils.model import prompt_modes
from utils.model.generation import GenerationSettings, generate_rows
from utils.model.shape import context_of
from utils.sandbox.judge import Task, Verdict, judge_all
from utils.tokens.packing import spread

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


def gaps(tasks: Sequence[Task], number: int) -> list[Gap]:
    """At most `number` lines of the tasks' solutions, evenly spread: not blank, with indentation, without their end."""
    found = []
    for task in tasks:
        start, solution = 0, task.canonical_solution
        for line in solution.splitlines(keepends=True):
            if line.strip():
                end = start + len(line.rstrip("\r\n"))
                found.append(Gap(task, task.prompt + solution[:start], solution[start:end], solution[end:]))
            start += len(line)
    return spread(found, number)


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
