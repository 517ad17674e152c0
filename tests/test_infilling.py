"""Fill-in-the-middle judged by running: what solves the task passes, in whatever words, and nothing else does."""

import pytest

from utils.evaluation import infilling
from utils.model import loading, prompt_modes
from utils.model.generation import END_OF_TEXT, Answer
from utils.sandbox.judge import Task

PROMPT = 'def total(items):\n    """The sum of some numbers."""\n'
SOLUTION = "    result = 0\n\n    for item in items:\n        result += item\n    return result\n"
TASK = Task("t/1", PROMPT, "total", "def check(candidate):\n    assert candidate([1, 2, 4]) == 7\n", SOLUTION)
OTHER = Task(
    "t/2", 'def one():\n    """1."""\n', "one", "def check(candidate):\n    assert candidate() == 1\n", "    return 1\n"
)
UNSOLVED = Task("t/3", "def two():\n", "two", "def check(candidate):\n    assert candidate() == 2\n")


@pytest.fixture
def answering(world, tokenizer, monkeypatch):
    """`answering(answers)`: a model that gives these answers, and what it was asked."""

    def make(answers):
        asked, given = [], iter(answers)

        def generate_rows(model, tokenizer, rows, settings):
            asked.extend(rows)
            return [Answer(next(given), END_OF_TEXT) for _ in rows]

        monkeypatch.setattr(infilling, "generate_rows", generate_rows)
        monkeypatch.setattr(infilling, "in_batches", lambda rows, write: write(rows))  # in the order of the gaps
        return loading.load(world[1].model_name_or_path)[0], asked

    return make


def test_every_line_is_a_gap_and_the_parts_are_the_program():
    found = infilling.gaps([TASK, UNSOLVED, OTHER], 99)
    assert [gap.missing for gap in found] == [line for line in SOLUTION.splitlines() if line] + ["    return 1"]
    assert [gap.missing for gap in infilling.gaps([TASK], 2)] == ["    result = 0", "        result += item"]
    for gap in found:
        assert gap.before + gap.missing + gap.after == gap.task.prompt + gap.task.canonical_solution
        assert gap.before.startswith(gap.task.prompt) and gap.missing
    assert infilling.gaps([UNSOLVED], 3) == []


@pytest.mark.slow
def test_what_passes_the_tests_counts_and_nothing_else(answering, tokenizer):
    found = infilling.gaps([TASK, OTHER], 99)
    answers = [
        "    result = sum([])",
        "    for item in reversed(items):",
        "        result -= item",
        "    return",
        "    return 1",
    ]
    model, asked = answering(answers)
    fills = infilling.fill(model, tokenizer, found, 32)
    assert [fill.verdict.passed for fill in fills] == [True, True, False, False, True]
    assert [fill.answer for fill in fills] == answers
    rate = infilling.pass_rate(fills)
    assert (rate.value, rate.num_tasks) == (0.75, 2), "each task counts once"
    expected = prompt_modes.between(found[0].before, found[0].after, tokenizer, 512, 32)
    assert asked[0] == expected.ids


def test_without_gaps_nothing_is_asked(answering, tokenizer):
    model, asked = answering([])
    assert str(infilling.pass_rate(infilling.fill(model, tokenizer, []))) == "nothing asked" and asked == []
