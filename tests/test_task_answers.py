"""Pass rates during training: right, neither lost nor repeated, and never a reason to stop."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from support.forked_ranks import train_on
from support.metric_lines import eval_line, train_line
from support.waiting import wait_until
from utils import plots
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import generation, loading
from utils.runs import curves, metrics
from utils.tokens.prompts import encode_prompts, format_prompt
from utils.training import samples, task_answers
from utils.training.__main__ import main
from utils.training.trainer import Training

TASKS = [
    {
        "task_id": f"t/{name}",
        "prompt": f'def {name}(n):\n    """{doc}"""\n',
        "entry_point": name,
        "test": f"def check(candidate):\n    assert candidate(3) == {value}\n",
    }
    for name, value, doc in (("double", 6, "Twice."), ("square", 9, "Squared."), ("long", 3, "x, " * 300))
]
RIGHT = ["def double(n):\n    return 2 * n", "```python\ndef square(n):\n    return n ** 2\n```"]


@pytest.fixture
def tasks_file(tmp_path):
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    return str(path)


@pytest.fixture
def answered(monkeypatch):
    """The model answers no task before the first update, one after it, and then the two that fit into its context."""
    given = iter([["?", "?"], ["?", RIGHT[1]]])

    def greedy(network, tokenizer, prompts, max_new_tokens, ranks):
        assert len(prompts) == 2 and max_new_tokens == task_answers.MAX_NEW_TOKENS
        return [generation.Answer(text, generation.END_OF_TEXT) for text in next(given, RIGHT)]

    monkeypatch.setattr(samples, "greedy", greedy)
    monkeypatch.setattr(task_answers, "WAIT_SECONDS", 600)  # of a busy machine


def rates(run_dir):
    return [(line["step"], line["pass_rate"]) for line in metrics.task_lines(metrics.read(run_dir))]


def steps(run_dir):
    return [line["step"] for line in metrics.eval_lines(metrics.read(run_dir))]


@pytest.mark.slow
def test_a_run_records_how_many_tasks_its_answers_solve(new_run, tasks_file, answered):
    run_dir = new_run("rated", eval_tasks=tasks_file, num_samples=0)
    main(run_dir)
    assert rates(run_dir) == [(0, 0), (4, pytest.approx(1 / 3)), (8, pytest.approx(2 / 3)), (10, pytest.approx(2 / 3))]
    assert {line["num_tasks"] for line in metrics.task_lines(metrics.read(run_dir))} == {3}
    result = json.loads((run_dir / metrics.TASK_ANSWERS / "step-00000004.json").read_text())
    assert result["results"]["t/square"] == "passed" and result["results"]["t/long"].startswith("failed")
    (axis, below) = curves.compare([run := curves.Run.load(run_dir)], "epoch").axes
    (line,) = below.get_lines()
    assert line.get_ydata().tolist() == [rate for _, rate in rates(run_dir)]
    assert line.get_xdata().tolist() == [place["epoch"] for place in metrics.eval_lines(metrics.read(run_dir))]
    assert "best pass rate 67%" in curves.compare([run]).get_label()
    assert curves.summary([run])["best pass rate"].tolist() == [0.667]


@pytest.mark.slow
def test_a_resumed_run_neither_loses_nor_repeats_a_rate_and_its_weights_are_those_without_tasks(
    new_run, tasks_file, answered, monkeypatch
):
    plain, run_dir = new_run("plain", num_samples=0), new_run("resumed", eval_tasks=tasks_file, num_samples=0)
    main(plain)
    update = Training.update

    def stop_after_five(self, *arguments):
        (run_dir / "STOP").touch() if self.progress.step == 4 else None
        return update(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "update", stop_after_five)
        main(run_dir)
    assert steps(run_dir) == [0, 4]
    folder = run_dir / metrics.TASK_ANSWERS
    wait_until(lambda: (folder / "step-00000004.json").exists())
    # What an interrupted run may leave: lines and answers after its checkpoint.
    metrics.append(run_dir, dict(kind="tasks", step=7, pass_rate=1.0, num_tasks=3))
    for suffix in (".json", ".jsonl"):
        shutil.copy(folder / f"step-00000004{suffix}", folder / f"step-00000007{suffix}")
    main(run_dir)
    assert [step for step, _ in rates(run_dir)] == steps(run_dir) == [0, 4, 8, 10]
    assert [rate for _, rate in rates(run_dir)] == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])
    weights = [load_file(path / "model" / "model.safetensors") for path in (plain, run_dir)]
    assert all(torch.equal(weights[1][name], tensor) for name, tensor in weights[0].items())
    config = RunConfig.load(run_dir / "config.json").with_changes(eval_tasks="")
    shutil.rmtree(run_dir / "model")
    config.save(run_dir / "config.json")
    with pytest.raises(UserError, match="settings changed since this run began .*eval_tasks"):
        main(run_dir)


@pytest.mark.slow
def test_without_a_sandbox_training_says_so_once_and_continues(new_run, tasks_file, answered, monkeypatch, capfd):
    monkeypatch.setenv("XDG_CACHE_HOME", tasks_file)  # no folder
    run_dir = new_run("unjudged", eval_tasks=tasks_file, num_samples=0)
    main(run_dir)
    assert (run_dir / "model").exists() and rates(run_dir) == []
    log = capfd.readouterr().out
    assert log.count("answers to tasks are not judged") == log.count("the sandbox needs a folder") == 1
    assert list(metrics.task_answers(run_dir)) == steps(run_dir)


@pytest.mark.slow
def test_a_run_does_not_wait_long_for_its_judge(new_run, tasks_file, answered, monkeypatch, capfd):
    monkeypatch.setattr(task_answers.TaskAnswers, "_start_judge", lambda self: None)
    monkeypatch.setattr(task_answers, "WAIT_SECONDS", 0.2)
    main(new_run("slow-judge", eval_tasks=tasks_file, num_samples=0))
    assert "not judged yet" in capfd.readouterr().out


@pytest.mark.slow
def test_on_two_ranks_the_answers_are_those_of_the_model(new_run, tasks_file):
    run_dir = new_run("two-ranks", eval_tasks=tasks_file, num_samples=0, num_train_epochs=1.0)
    records = train_on(2, run_dir)
    assert [step for step, _ in rates(run_dir)] == [line["step"] for line in metrics.eval_lines(records)]
    network, tokenizer = loading.load(str(run_dir / "model"))
    texts = [format_prompt(f"Write this Python function.\n\n{t['prompt'].strip()}", "", "alpaca") for t in TASKS[:2]]
    settings = generation.GenerationSettings(max_new_tokens=task_answers.MAX_NEW_TOKENS)
    expected = generation.generate_rows(network, tokenizer, encode_prompts(texts, tokenizer), settings)
    last = list(metrics.task_answers(run_dir).values())[-1].read_text().splitlines()
    assert [json.loads(line)["answer"] for line in last] == [answer.text for answer in expected] + [""]


def test_an_unknown_set_of_tasks_is_refused_and_a_file_is_meant_wherever_it_is_read(new_run):
    with pytest.raises(UserError, match="unknown set of tasks 'basic'"):
        main(new_run("unknown", eval_tasks="basic"))
    assert RunConfig.from_preset("tiny", eval_tasks="some.jsonl").eval_tasks == str(Path("some.jsonl").resolve())


def test_lines_of_tasks_are_checked(tmp_path):
    line = dict(kind="tasks", step=4, pass_rate=0.5, num_tasks=3)
    for change, message in (({"pass_rate": 1.5}, "must be between 0 and 1"), ({"num_tasks": "3"}, "a finite number")):
        (tmp_path / metrics.METRICS).write_text(json.dumps(line | change) + "\n")
        with pytest.raises(UserError, match=message):
            metrics.read(tmp_path)


def test_runs_without_rates_are_drawn_as_before_and_beside_runs_with_them():
    config, lines = RunConfig.from_preset("tiny"), ([train_line(1)], [eval_line(1)])
    plain, rated = (
        curves.Run("a", "", config, *lines),
        curves.Run("b", "", config, *lines, [dict(step=1, pass_rate=0.5)]),
    )
    assert len(curves.compare([plain]).axes) == 1 and "best pass rate" not in curves.summary([plain])
    picture = curves.compare([plain, rated])
    assert isinstance(picture, plots.Picture) and len(picture.axes) == 2 and picture._repr_html_()
    assert curves.summary([plain, rated])["best pass rate"].fillna(-1).tolist() == [-1, 0.5]
