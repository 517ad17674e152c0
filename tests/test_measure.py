"""Evaluations with several samples of each task, by a small model: interrupted ones resume to the same answers."""

import shutil
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from utils.evaluation import measure, report
from utils.evaluation.measure import BASE, TUNED, Settings
from utils.evaluation.pass_at_k import pass_at_k
from utils.playground.model_pool import LoadedModels, choices
from utils.sandbox.judge import Task, Verdict

TASKS = [Task(f"t/{number}", f"def f{number}(n):\n", f"f{number}", "") for number in range(3)]
SETTINGS = Settings(num_samples=3, temperature=0.8, max_new_tokens=6)
TOTAL = 2 * 3 * len(TASKS)


@pytest.fixture(scope="module")
def evaluation(world, tmp_path_factory):
    """Of a run whose tuned model is the base, in groups of 2 tasks; verdicts depend on the program alone."""
    run_dir, models, judged = tmp_path_factory.mktemp("run"), LoadedModels(), []
    world[1].save(run_dir / "config.json")
    shutil.copytree(world[1].model_name_or_path, run_dir / "model")
    names = choices(run_dir)

    def judge_all(items):
        for _, source in items:
            judged.append(source)
            kind = "failed" if sum(source.encode()) % 3 else "passed"
            yield Verdict(kind == "passed", kind, kind, 0.1)

    def complete(tasks=TASKS, show=lambda line: None):
        judged.clear()
        return measure.complete(run_dir, SETTINGS, tasks, lambda which: models.get(names[which]), show)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "BATCH_SIZE", 2)
        patch.setattr(measure, "judge_all", judge_all)
        path = measure.folder_of(run_dir, SETTINGS, TASKS) / measure.SAMPLES
        yield SimpleNamespace(
            samples=complete(), content=path.read_bytes(), path=path, complete=complete, judged=judged
        )


@pytest.mark.parametrize("number", [4, 12, 17])
def test_a_resumed_evaluation_has_the_answers_of_an_uninterrupted_one(evaluation, number):
    lines = evaluation.content.splitlines(keepends=True)
    evaluation.path.write_bytes(b"".join(lines[:number]) + lines[number][:30])  # as a killed process leaves it
    shown = []
    assert evaluation.complete(show=shown.append) == evaluation.samples
    numbers = [f"{done} of {TOTAL} answers recorded" for done in range(number, TOTAL + 1)]
    assert [line.split(", about")[0] for line in shown] == numbers and shown[-1] == numbers[-1]
    assert evaluation.judged == [sample.source for sample in evaluation.samples[number:]]
    assert evaluation.path.read_bytes() == evaluation.content


def test_each_sample_is_drawn_once_and_samples_of_a_task_differ(evaluation):
    keys = Counter((sample.task_id, sample.model, sample.index) for sample in evaluation.samples)
    assert len(keys) == TOTAL and set(keys.values()) == {1}
    answers = {(sample.task_id, sample.model, sample.answer) for sample in evaluation.samples}
    assert len(answers) > TOTAL - 3


def test_the_program_of_the_base_is_what_it_was_asked_and_wrote(evaluation):
    for sample in evaluation.samples:
        whole = sample.asked + sample.answer
        assert sample.model == TUNED or (whole.startswith(sample.source) and sample.source.startswith(sample.asked))


def test_an_instruction_of_the_task_is_what_both_are_asked(evaluation):
    task = replace(TASKS[0], instruction="Write a function that doubles a number.")
    samples = evaluation.complete([task])
    asked = {sample.model: sample.asked for sample in samples}
    assert asked[BASE] == asked[TUNED] and task.instruction in asked[BASE]
    assert all(task.prompt not in sample.asked and sample.asked not in sample.source for sample in samples)


def test_other_code_that_asks_or_judges_has_results_of_its_own(tmp_path, monkeypatch):
    before = measure.folder_of(tmp_path, SETTINGS, TASKS)
    monkeypatch.setattr(
        measure.artifacts, "code_sha256", lambda module: "changed" if module == measure.__name__ else "as before"
    )
    assert measure.folder_of(tmp_path, SETTINGS, TASKS) != before


@pytest.mark.parametrize("k", [1, 2, 3])
def test_several_samples_are_counted_drawn_and_shown(evaluation, k):
    result, solved = measure.result(evaluation.samples, k), {}
    for model in (BASE, TUNED):
        passed = Counter(sample.task_id for sample in evaluation.samples if sample.model == model and sample.passed)
        solved[model], rate = set(passed.keys()), result.rates[model]
        assert rate.value == pytest.approx(np.mean([pass_at_k(3, passed[task.task_id], k) for task in TASKS]))
        assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert solved[BASE] | solved[TUNED], "the verdicts decide nothing"
    assert result.changes == {
        "gained": len(solved[TUNED] - solved[BASE]),
        "lost": len(solved[BASE] - solved[TUNED]),
        "both": len(solved[TUNED] & solved[BASE]),
        "neither": len(TASKS) - len(solved[TUNED] | solved[BASE]),
    }
    table = report.table(evaluation.samples, k, frozenset())
    assert table.loc[f"pass@{k} of 3 tasks", BASE] == str(result.rates[BASE])
    counts = [int(number) for name in table.index if name.startswith("answers: ") for number in table.loc[name]]
    label = report.figure(result).get_label()
    assert sum(counts) == TOTAL and "nan" not in table.to_string().lower() + label
    assert f"pass@{k}" in label and f"neither {result.changes['neither']}" in label
