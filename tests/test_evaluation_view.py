"""The page of an evaluation's tasks, its table, figure and record: without a model, from samples written by hand."""

import json
from dataclasses import replace
from html import escape

import pytest

from support.payloads import PAYLOADS
from utils.errors import UserError
from utils.evaluation import measure, report, tasks
from utils.evaluation.__main__ import judge_file
from utils.evaluation.measure import BASE, TUNED, Sample, Settings
from utils.sandbox.judge import MAX_SHOWN, Task, Verdict, judge
from utils.widgets.evaluation_view import MEANINGS, EvaluationView

FACTS = {"assertion": "assert candidate(1, 2) == 3", "last_call": "add(1, 2)", "got": "-1", "expected": "3"}


def sample(task: str, model: str, is_passed: bool, **changes) -> Sample:
    kind = "passed" if is_passed else "failed"
    facts = {} if is_passed else FACTS
    made = Sample(
        task, model, 0, f"asked {task}", f"answer of {model}", "the program", is_passed, kind, kind, 0.5, facts
    )
    return replace(made, **changes)


@pytest.fixture
def samples():
    """One task each gained, lost, solved by both and by neither."""
    solved = {"gained": (False, True), "lost": (True, False), "both": (True, True), "neither": (False, False)}
    return [
        sample(f"t/{name}", model, is_passed)
        for name, pair in solved.items()
        for model, is_passed in zip((BASE, TUNED), pair, strict=True)
    ]


def test_every_group_lists_its_tasks(samples):
    view = EvaluationView(samples)
    assert len(view.task.options) == 4
    for name in MEANINGS:
        view.group.value = name
        assert [task for _, task in view.task.options] == [f"t/{name}"]
        assert f"t/{name}: {MEANINGS[name]}." in view.page.value
    assert view.index.layout.display == "none", "one sample of each"


def test_tasks_follow_each_other(samples):
    view = EvaluationView(samples)
    assert view.previous.disabled
    for name in list(MEANINGS)[1:]:
        view.next.click()
        assert f"t/{name}: {MEANINGS[name]}." in view.page.value
    assert view.next.disabled and not view.previous.disabled
    view.group.value = "both"
    assert view.next.disabled and view.previous.disabled


def test_a_failure_says_why(samples):
    view = EvaluationView(samples, frozenset({"t/gained"}))
    for text in ("base: ✘ failed, 0.5 s", "tuned: ✔ passed", "Failed assertion", *map(escape, FACTS.values())):
        assert text in view.page.value
    assert "shares text with training pairs" in view.page.value and "asked t/gained" in view.page.value
    assert "wrote nothing" not in view.page.value
    raised = sample(
        "t/x", BASE, False, answer="\n", result="raised: NameError: x", facts={"traceback": "line 1", "output": "hello"}
    )
    page = EvaluationView([raised, sample("t/x", TUNED, True)]).page.value
    for text in ("raised: NameError: x", "Traceback", "line 1", "Printed", "hello", "wrote nothing"):
        assert text in page


def test_an_empty_group_and_no_samples_are_explained(samples):
    view = EvaluationView(samples[:2])
    view.group.value = "lost"
    assert view.task.disabled and "no tasks in this group" in view.page.value
    view.group.value = "gained"
    assert not view.task.disabled
    assert "no tasks" in EvaluationView([]).page.value


def test_every_sample_can_be_chosen(samples):
    more = [replace(one, index=1, answer="another answer") for one in samples]
    view = EvaluationView([*samples, *more])
    assert view.index.layout.display == "" and "another answer" not in view.page.value
    view.index.value = 1
    assert view.page.value.count("another answer") == 2


@pytest.mark.parametrize("payload", PAYLOADS[:20])
def test_nothing_that_a_model_writes_becomes_html(payload):
    facts = dict.fromkeys([*FACTS, "traceback", "output"], payload)
    hostile = [sample(payload, model, False, asked=payload, answer=payload, source=payload, facts=facts, kind=payload)
               for model in (BASE, TUNED)]  # fmt: skip
    page = EvaluationView(hostile).page.value
    assert payload not in page and "<script" not in page.lower() and "<img" not in page and "<svg" not in page


def test_the_table_counts_shared_tasks_apart(samples, tmp_path):
    shared = frozenset({"t/gained"})
    table = report.table(samples, 1, shared)
    assert table.loc["pass@1 of 3 tasks", BASE].startswith("66.7 % (")
    assert table.loc["pass@1 of 1 tasks that share text with training pairs", TUNED].startswith("100.0 % (")
    assert table.loc["answers: not judged"].to_list() == ["0", "0"]
    result = measure.result(samples, 1, shared)
    assert result.changes == {"gained": 0, "lost": 1, "both": 1, "neither": 1}
    picture = report.figure(result)
    assert "lost 1, both 1, neither 1" in picture.get_label() and "<img" in picture._repr_html_()
    report.save(tmp_path, Settings(), result)
    record = json.loads((tmp_path / report.RESULT).read_text())
    assert record["measure"] == "pass@1" and record["comparison"] == str(result.comparison)


def test_groups_of_tasks_have_their_own_rates(samples):
    assert not any(name.endswith(("t", "others")) for name in report.table(samples, 1, frozenset()).index)
    others = [sample("alone", BASE, True), sample("alone", TUNED, False)]
    table = report.table([*samples, *others], 1, frozenset({"t/gained"}))
    assert table.loc["pass@1 of 3 tasks: t", BASE].startswith("66.7 % (")
    assert table.loc["pass@1 of 1 tasks: others", TUNED].startswith("0.0 % (")
    many = [sample(f"{number}/x", BASE, True) for number in range(99)]
    assert len(report.table(many, 1, frozenset())) == 4


def test_phrases_of_the_small_world_are_not_counted_as_shared(tmp_path):
    asked = tasks.load("basics-compositions", tmp_path)[:20]
    pairs = [{"instruction": task.prompt, "input": "", "response": ""} for task in asked]
    assert not measure.shared_with(pairs, asked)
    saved = {"instruction": f"{asked[3].instruction}\n", "input": "", "response": ""}  # as an answer of the playground
    assert measure.shared_with([*pairs, saved], asked) == {asked[3].task_id}
    assert len(measure.shared_with(pairs, [replace(task, instruction="") for task in asked])) == len(asked)


def test_an_evaluation_without_tasks_is_shown_too():
    result = measure.result([])
    assert str(result.comparison) == "There are no tasks to compare the models on."
    assert report.table([], 1, frozenset()).loc["pass@1 of 0 tasks", BASE] == "nothing asked"
    assert "<img" in report.figure(result)._repr_html_()


def test_equal_values_have_an_interval_too():
    nothing = [sample(f"t/{number}", model, False) for number in range(24) for model in (BASE, TUNED)]
    result = measure.result(nothing)
    assert str(result.rates[BASE]) == "0.0 % (0.0 to 14.2)"
    assert str(result.comparison) == "No difference shown with these 24 tasks: +0.0 points (-14.2 to +14.2)."


def test_a_partial_last_line_is_asked_again_and_others_are_named(samples, tmp_path):
    lines = [json.dumps(vars(one)) + "\n" for one in samples]
    path = tmp_path / measure.SAMPLES
    path.write_text("".join(lines[:2]) + lines[2][:40])
    assert measure.read(tmp_path) == samples[:2]
    wrong = [
        {"task_id": ["t"]},
        {"model": "other"},
        {"index": "0"},
        {"passed": 1},
        {"facts": {"got": 1}},
        {"kind": None},
    ]
    for text in (*(json.dumps(vars(samples[1]) | change) for change in wrong), "[]", "{}", "[" * 10**5, lines[2][:40]):
        path.write_text(f"{lines[0]}{text}\n{lines[1]}")
        with pytest.raises(UserError, match="samples.jsonl:2: .*Delete the line"):
            measure.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "has no samples"), ('{"task_id": ["1"], "completion": ""}', "sample 1 needs a task_id of .*'1'"),
     ('{"task_id": 2, "completion": ""}', "got 2 and ''"), ('{"task_id": 1, "completion": 2}', "got 1 and 2")],
)  # fmt: skip
def test_samples_that_cannot_be_judged_are_refused(tmp_path, content, message):
    (tmp_path / "samples.jsonl").write_text(content)
    with pytest.raises(UserError, match=message):
        judge_file(tmp_path / "samples.jsonl", numbered(tmp_path), tmp_path, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_ids_may_be_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "utils.evaluation.__main__.judge_all", lambda items: [Verdict(True, "passed", "passed", 0.1, {})]
    )
    (tmp_path / "samples.jsonl").write_text('{"task_id": 1, "completion": ""}')
    judge_file(tmp_path / "samples.jsonl", numbered(tmp_path), tmp_path, tmp_path / "out.jsonl")
    assert "pass@1 of 1 tasks, 1 samples: 100.0 %" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.jsonl").read_text())["task_id"] == 1


def numbered(folder) -> str:
    """A set of one task whose id is a number."""
    (folder / "tasks.jsonl").write_text('{"task_id": 1, "prompt": "", "entry_point": "f", "test": ""}')
    return str(folder / "tasks.jsonl")


@pytest.mark.slow
def test_what_a_candidate_prints_is_kept():
    task = Task("t", "", "add", "def check(candidate):\n    assert candidate(1, 2) == 3\n")
    verdict = judge(task, "def add(a, b):\n    print('adding', a)\n    return a + b\n")
    assert verdict.passed and verdict.facts["output"] == "adding 1\n"
    verdict = judge(task, "def add(a, b):\n    while True:\n        print('x' * 999)\n")
    assert verdict.kind == "too much output" and len(verdict.facts["output"]) == MAX_SHOWN
