"""Sweeps: values of settings, successive halving, a runner that can be killed at any time, and their panels."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from support.metric_lines import eval_line, train_line
from support.waiting import wait_until
from utils import artifacts, files
from utils.config import RunConfig
from utils.errors import UserError
from utils.planning import planner
from utils.runs import launch, metrics
from utils.sweeps import halving, held_out, queue, results, runner, space
from utils.sweeps.halving import Progress
from utils.widgets.run_panel import RunPanel
from utils.widgets.settings_form import SettingsForm
from utils.widgets.sweeps.panel import SweepPanel
from utils.widgets.sweeps.view import SweepView

BASE = RunConfig.from_preset("tiny")
NUM_UPDATES, EVAL_STEPS = 16, 2


def test_lists_are_combined_and_ranges_are_drawn_together():
    typed = {"learning_rate": "1e-5 to 1e-1, 4 draws", "weight_decay": "0.1 to 1, 4 draws", "optim": "muon"}
    rows = space.combinations(BASE, typed)
    assert rows == space.combinations(BASE, typed) != space.combinations(replace(BASE, seed=1), typed)
    decades = sorted(np.floor(np.log10([row["learning_rate"] for row in rows])))
    assert decades == [-5, -4, -3, -2], "one draw in each part of the range, on a logarithmic scale"
    assert len(rows) == 4 and {row["optim"] for row in rows} == {"muon"}
    rows = space.combinations(BASE, {"seed": "1, 2", "reshard_after_forward": "true, false", "learning_rate": "1, 1.0"})
    assert len(rows) == 4 and rows[0] == {"seed": 1, "reshard_after_forward": True, "learning_rate": 1.0}
    assert all(0 <= row["seed"] <= 9 for row in space.combinations(BASE, {"seed": "0 to 9, 9 draws"}))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"learning_rate": "1e-4, fast"}, "learning_rate must be a number, got 'fast'"),
        ({"learning_rate": "0,003"}, "write decimals with a point"),
        ({"learning_rate": "7"}, "between 0.0 and 1.0"),
        ({"learning_rate": " , "}, "type values such as"),
        ({"learning_rate": "0 to 1, 3 draws"}, "from a lower to a higher number above 0"),
        ({"seed": "9 to 1, 3 draws"}, "from a lower to a higher number, got 9 to 1"),
        ({"seed": "1 to 9, 0 draws"}, "a sweep has 1 to 100 runs; these values make 0"),
        ({"seed": "1 to 999, 101 draws"}, "these values make 101"),
        ({"seed": "1 to 9, 2 draws", "weight_decay": "1 to 2, 3 draws"}, "same number of draws"),
        ({"optim": "muon to sgd, 2 draws"}, "from a lower to a higher number, got 'muon'"),
        ({"preset": "tiny, starcoder"}, "preset takes one value, also in a sweep"),
    ],
)
def test_values_that_make_no_runs_are_refused(typed, message):
    with pytest.raises(UserError, match=message):
        space.combinations(BASE, typed)


def progress(number, losses, state="waiting", group="same"):
    return Progress(number, group, NUM_UPDATES, EVAL_STEPS, dict(losses), state)


def test_the_clearly_worse_half_is_left_at_the_same_update():
    assert halving.comparison_steps(NUM_UPDATES, EVAL_STEPS) == [4, 8]
    first = [progress(1, {4: 3.0}), progress(2, {4: 1.0}), progress(3, {4: 2.0}), progress(4, {2: 9.0})]
    assert halving.unfinished(first) == [4], "decided only when all were compared"
    assert halving.kept(first) == {1, 2, 3, 4}
    first[3] = progress(4, {2: 9.0, 4: 4.0, 6: 0.1})
    assert halving.unfinished(first) == [2, 3], "at the same update, the better one first"
    assert halving.kept(first) == {2, 3}
    assert halving.unfinished([progress(1, {4: 3.0}), progress(2, {4: 1.0}), progress(3, {4: 1.009})]) == [2, 3]
    first[2] = progress(3, {4: 2.0, 8: 0.5})
    first[1] = progress(2, {4: 1.0, 8: 0.9})
    assert halving.unfinished(first) == [3]
    first[2] = progress(3, {16: 0.3, 8: 0.5, 4: 2.0}, "finished")
    assert halving.unfinished(first) == []
    assert halving.unfinished([*first, progress(5, {})]) == [5], "a run that is added is compared where others were"
    assert halving.unfinished([*first, progress(5, {4: 0.1})]) == [5]
    assert halving.unfinished(first, is_halving=False) == [1, 2, 4]


def test_only_comparable_runs_leave_each_other_behind():
    runs = [progress(i, {4: float(i)}, group=i % 2) for i in range(1, 5)]
    assert halving.unfinished(runs) == [1, 2], "the better one of each schedule"
    assert halving.unfinished(replace(run, group=run.number) for run in runs) == [1, 2, 3, 4]


def test_failed_and_stopped_runs_take_no_ones_place():
    failed = [progress(1, {4: 0.1}, "failed"), progress(2, {4: 2.0}), progress(3, {4: 1.0}), progress(4, {4: 3.0})]
    assert halving.unfinished(failed) == [3, 2], "a run that failed is the worst"
    held = [progress(1, {4: 0.1}, "stopped"), *failed[1:3]]
    assert halving.unfinished(held) == [3]
    assert halving.unfinished([progress(1, {}, "failed"), progress(2, {}, "stopped")]) == []


def test_the_updates_of_a_sweep_are_known_before():
    new = [progress(number, {}) for number in range(6)]
    assert halving.num_updates(new) == 6 * 4 + 3 * 4 + 1 * 8
    assert halving.num_updates(new, is_halving=False) == 6 * NUM_UPDATES
    assert halving.comparison_steps(188, 40) == [40, 80], "the nearest evaluations"
    assert halving.comparison_steps(24, 40) == [] and halving.num_updates(new[:1]) == NUM_UPDATES


@pytest.fixture
def data_dir(world, tmp_path):
    shutil.copytree(world[0] / "tokens", tmp_path / "tokens")
    return tmp_path


@pytest.fixture
def config(world):
    return world[1].with_changes(eval_steps=EVAL_STEPS, num_train_epochs=4.0)


def trials(config, rates):
    return [queue.Trial(config.with_changes(learning_rate=rate), {}, NUM_UPDATES, 1) for rate in rates]


class Runs:
    """Runs that make an update whenever they are looked at; the higher the learning rate, the lower the loss."""

    def __init__(self, monkeypatch):
        self.running, self.starts, self.made = set(), [], []
        monkeypatch.setattr("utils.runs.launch.state", self.state)
        monkeypatch.setattr("utils.runs.launch.start", self.start)
        monkeypatch.setattr("utils.sweeps.runner.time.sleep", lambda seconds: None)
        monkeypatch.setattr("utils.sweeps.held_out.score", lambda *_: (1.5, 3))

    def start(self, run_dir, config, save_seconds):
        assert not self.running, "one after the other"
        run_dir.mkdir(parents=True, exist_ok=True)
        config.save(run_dir / "config.json")
        for name in ("STOP", "outcome.json"):
            (run_dir / name).unlink(missing_ok=True)
        self.running.add(run_dir)
        self.starts.append(run_dir.name)

    def state(self, run_dir):
        if run_dir not in self.running:
            if not (run_dir / "config.json").exists():
                return "new"
            recorded = artifacts.read_json(run_dir / "outcome.json") or {"outcome": "failed"}
            return "finished" if (run_dir / "model").exists() else recorded["outcome"]
        step = len(metrics.train_lines(metrics.read(run_dir)))
        if (run_dir / "STOP").exists():
            self.end(run_dir, "stopped")
            return "stopped"
        step += 1
        self.made.append((run_dir.name, step))
        metrics.append(run_dir, train_line(step))
        if step % EVAL_STEPS == 0:
            loss = 3 - RunConfig.load(run_dir / "config.json").learning_rate
            metrics.append(run_dir, eval_line(step, eval_loss=loss))
        if step == NUM_UPDATES:
            (run_dir / "model").mkdir()
            self.running.discard(run_dir)
            return "finished"
        return "running"

    def end(self, run_dir, outcome=None):
        self.running.discard(run_dir)
        if outcome:
            files.write_json(run_dir / "outcome.json", {"outcome": outcome})


@pytest.fixture
def fake(monkeypatch):
    return Runs(monkeypatch)


def steps(sweep):
    return [len(metrics.train_lines(metrics.read(sweep.run_dir(number)))) for number in sweep.trials()]


def test_a_sweep_ends_with_the_best_run_after_half_of_the_grids_updates(data_dir, config, fake):
    sweep = queue.create(data_dir, config, trials(config, [0.1, 0.9, 0.3, 0.5]))
    runner.work(sweep)
    assert results.winner(sweep).name == "sweep-1-02" and fake.running == set()
    assert sum(steps(sweep)) <= 0.6 * 4 * NUM_UPDATES and len(fake.made) == len(set(fake.made))
    table = results.table(sweep)
    assert list(table.index)[0] == "sweep-1-02" and table["state"].value_counts().to_dict() == {
        "finished": 1,
        results.EARLY: 3,
    }
    assert (
        "sweep-1-02 has the lowest validation loss of the finished runs, 2.1000. On 3 validation pairs"
        in results.score(sweep)
    )
    started = list(fake.starts)
    runner.work(sweep)
    assert fake.starts == started, "what is decided is not started again"
    sweep.add(trials(config, [1.0]))
    runner.work(sweep)
    assert results.winner(sweep).name == "sweep-1-05" and fake.starts[len(started) :] == ["sweep-1-05"]
    assert artifacts.read_json(sweep.folder / queue.SCORE) == {"run": "sweep-1-05", "loss": 1.5, "num_rows": 3}


@pytest.mark.parametrize("killed_after", range(1, 60, 7))
def test_a_runner_or_run_that_is_killed_loses_nothing_and_starts_nothing_twice(
    data_dir, config, fake, monkeypatch, killed_after
):
    sweep = queue.create(data_dir, config, trials(config, [0.1, 0.9, 0.3]), is_halving=False)
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == killed_after:
            raise KeyboardInterrupt
        if len(looks) == killed_after + 2:  # not a request to stop: it has no outcome
            for run_dir in list(fake.running):
                fake.end(run_dir)

    monkeypatch.setattr("utils.sweeps.runner.time.sleep", sleep)
    for _ in range(2):
        try:
            runner.work(sweep)
        except KeyboardInterrupt:
            continue
    assert steps(sweep) == [NUM_UPDATES] * 3
    assert len(fake.made) == len(set(fake.made)) == 3 * NUM_UPDATES and not sweep.is_running


def test_what_a_person_stops_stays_stopped_and_a_pause_resumes(data_dir, config, fake, monkeypatch):
    sweep = queue.create(data_dir, config, trials(config, [0.1, 0.9, 0.3, 0.5]))
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            launch.stop(sweep.run_dir(1))  # in the panel of notebook 03
            sweep.stop(2)
        if len(looks) == 4:
            sweep.pause()

    monkeypatch.setattr("utils.sweeps.runner.time.sleep", sleep)
    runner.work(sweep)
    assert fake.starts == ["sweep-1-01", "sweep-1-03"] and sweep.unfinished() == [3, 4]
    (sweep.folder / "STOP").unlink()
    runner.work(sweep)
    assert results.winner(sweep).name == "sweep-1-04"
    states = results.table(sweep)["state"]
    assert states["sweep-1-01"] == states["sweep-1-02"] == "stopped" and states["sweep-1-03"] == results.EARLY
    assert "sweep-1-02" not in fake.starts and steps(sweep)[0] < 4


def test_a_run_that_cannot_train_does_not_keep_the_others_from_it(data_dir, config, fake, monkeypatch):
    sweep = queue.create(data_dir, config, trials(config, [0.1, 0.9]))
    start = fake.start

    def refused(run_dir, *others):
        if run_dir.name.endswith("02"):
            raise UserError("the disk is full")
        start(run_dir, *others)

    monkeypatch.setattr("utils.runs.launch.start", refused)
    runner.work(sweep)
    assert results.winner(sweep).name == "sweep-1-01"
    assert results.table(sweep)["state"]["sweep-1-02"] == "failed: the disk is full"

    def start_and_end(run_dir, *others):
        start(run_dir, *others)
        fake.end(run_dir)

    monkeypatch.setattr("utils.runs.launch.start", start_and_end)
    sweep.add(trials(config, [0.8]))
    runner.work(sweep)
    assert "started 3 times" in results.table(sweep)["state"]["sweep-1-03"]


def test_a_run_that_a_person_removed_is_not_trained_again(data_dir, config, fake):
    sweep = queue.create(data_dir, config, trials(config, [0.1, 0.9]))
    runner.work(sweep)
    shutil.rmtree(sweep.run_dir(1))
    sweep.add(trials(config, [0.3]))
    started = len(fake.starts)
    runner.work(sweep)
    assert fake.starts[started:] == ["sweep-1-03"] and results.winner(sweep).name == "sweep-1-02"
    assert results.table(sweep)["state"]["sweep-1-01"] == "removed"


def test_a_damaged_file_ends_its_run_alone(data_dir, config, fake):
    sweep = queue.create(data_dir, config, trials(config, [0.1, 0.9]))
    fake.start(sweep.run_dir(1), config, 1)
    fake.end(sweep.run_dir(1), "stopped")
    (sweep.run_dir(1) / "metrics.jsonl").write_text("damaged\n")
    runner.work(sweep)
    assert results.winner(sweep).name == "sweep-1-02" and fake.starts[1:] == ["sweep-1-02"]
    (sweep.folder / "trials" / "0001.json").write_text("damaged")
    panel = SweepPanel(data_dir, SettingsForm(config, data_dir))
    assert "0001.json is not JSON" in panel.message.value and panel.planned.value, "new sweeps can be planned"


def test_a_run_killed_after_a_restart_is_resumed_and_one_that_failed_is_not(data_dir, config, fake):
    sweep = queue.create(data_dir, config, trials(config, [0.1]))
    fake.start(sweep.run_dir(1), config, 1)
    fake.end(sweep.run_dir(1), "failed")
    metrics.append(sweep.run_dir(1), train_line(1))
    for at, state in ((2e9, "failed"), (1e9, "waiting")):
        os.utime(sweep.run_dir(1) / "outcome.json", (at, at))
        assert sweep.progress()[0].state == state


def test_no_loss_wins_over_losses_on_other_pairs(data_dir, config, fake):
    sweep = queue.create(data_dir, config, trials(config.with_changes(max_eval_samples=2), [0.1]))
    sweep.add(trials(config.with_changes(max_eval_samples=2, seed=7), [0.9]))
    runner.work(sweep)
    assert results.winner(sweep) is None and "The runs differ in seed" in results.score(sweep)
    for number, rate in enumerate((0.25, 0.5), start=1):
        metrics.append(sweep.run_dir(number), dict(kind="tasks", step=16, pass_rate=rate, num_tasks=4))
    assert results.winner(sweep, results.PASS_RATE).name == "sweep-1-02"


def test_the_winner_is_not_scored_on_rows_that_may_have_chosen_it(data_dir, config, fake, monkeypatch):
    sweep = queue.create(data_dir, config, trials(config, [0.1]))
    monkeypatch.undo()
    files.make_folder(sweep.run_dir(1))
    config.save(sweep.run_dir(1) / "config.json")
    files.write_json(sweep.run_dir(1) / artifacts.MANIFEST, {"inputs": {"validation.ids.npy": "of yesterday"}})
    with pytest.raises(UserError, match="changed since the run began"):
        held_out.score(sweep.run_dir(1), data_dir)


def test_a_runner_that_ends_leaves_no_added_run_behind(data_dir, config):
    sweep = queue.create(data_dir, config, [])
    with queue.working(sweep) as lock:
        assert runner._ends(sweep, lock) and not sweep.is_running, "from here on another runner can start"
    with queue.working(sweep) as lock:
        sweep.add(trials(config, [0.1]))
        assert not runner._ends(sweep, lock) and sweep.is_running


def test_one_runner_works_at_a_time(data_dir, config):
    sweep, other = (queue.create(data_dir, config, []) for _ in range(2))
    assert [found.folder.name for found in queue.sweeps(data_dir)] == ["sweep-2", "sweep-1"]
    with queue.working(sweep):
        assert sweep.is_running and not other.is_running
        with pytest.raises(UserError, match="sweep-1 is running: wait for its end"):
            other.start()
        with pytest.raises(UserError, match="sweep-1 is running already"):
            runner.work(sweep)
    assert not sweep.is_running
    (data_dir / "runs" / "sweep-7-01").mkdir(parents=True)
    assert queue.create(data_dir, config, []).folder.name == "sweep-8", "runs of a deleted sweep are not taken over"


def test_runs_on_other_tokens_or_schedules_are_not_compared(data_dir, config, fake):
    one = trials(config, [0.1])[0]
    changes = {"template": "alpaca-newline", "lr_scheduler_type": "linear", "seed": 1, "max_eval_samples": 2}
    others = [replace(one, config=config.with_changes(**{name: value})) for name, value in changes.items()]
    shutil.copytree(artifacts.tokens_dir(data_dir, config), artifacts.tokens_dir(data_dir, others[0].config))
    sweep = queue.create(data_dir, config, [one, *others, replace(one, config=config.with_changes(adam_beta1=0.8))])
    groups = [run.group for run in sweep.progress()]
    assert groups[0] == groups[-1] and len(set(groups)) == 5
    fake.start(sweep.run_dir(1), config, 1)
    files.write_json(sweep.run_dir(1) / artifacts.MANIFEST, {"inputs": {"train.ids.npy": "of yesterday"}})
    assert sweep.progress()[0].group != groups[0], "its tokens were others"


def test_the_winner_is_scored_on_rows_that_compared_no_run(data_dir, config):
    half = held_out.with_half(config, data_dir)
    rows, scored = held_out.rows(half, data_dir)
    compared = held_out._rows(half, data_dir)[1]
    assert len(compared) == half.max_eval_samples and not set(compared) & set(scored)
    assert sorted([*compared, *scored]) == list(range(len(rows)))
    with pytest.raises(UserError, match="a sweep compares validation losses"):
        held_out.with_half(config.with_changes(max_length=8), data_dir)


@pytest.fixture
def panel(data_dir, config, monkeypatch):
    monkeypatch.setattr("utils.sweeps.queue.Sweep.start", lambda sweep: None)
    form = SettingsForm(config, data_dir)
    made = SweepPanel(data_dir, form)
    form.on_change(made.choose)
    return made


def learning_rates(panel, text):
    panel.form.inputs["learning_rate"].value = text


def test_the_panel_says_how_many_runs_and_how_long_before_it_starts_them(panel, data_dir, config):
    assert panel.start_button.disabled and panel.following.layout.display == "none"
    learning_rates(panel, "1e-4, 3e-4, 1e-3, 3e-3")
    note = panel.form.notes["learning_rate"]
    for shown in (panel.planned.value, note.value):
        assert "4 runs, " in shown and " updates, about 0:0" in shown
    panel.form.inputs["train_batch_size"].value = "4, 8"
    assert "8 runs, " in panel.planned.value and "8 runs, " in note.value
    assert "The runs are compared on 1 validation pair;" in panel.planned.value
    panel.form.inputs["train_batch_size"].value = str(config.train_batch_size)
    assert panel.values.placeholder == "adamw_torch_fused, adamw_bfloat16"
    panel.values.value = "<b>"
    assert "&lt;b&gt;" in panel.planned.value and panel.start_button.disabled and "No sweep: " in note.value
    panel.values.value = "muon, adamw_torch_fused"
    assert "8 runs, " in panel.planned.value
    panel.values.value = ""
    learning_rates(panel, "1e-4, 7")
    assert "A setting above is not allowed" in panel.planned.value and panel.start_button.disabled
    learning_rates(panel, "1e-4, 3e-4, 1e-3, 3e-3")
    panel.start_button.click()
    (sweep,) = queue.sweeps(data_dir)
    planned = [trial.config for trial in sweep.trials().values()]
    assert [one.learning_rate for one in planned] == [1e-4, 3e-4, 1e-3, 3e-3]
    assert sweep.base == config.with_changes(learning_rate=1e-4)
    assert planned[0] == held_out.with_half(config.with_changes(learning_rate=1e-4), data_dir)
    assert "queued" in panel.runs.value and "sweep-1-04" in panel.runs.value


def test_runs_are_stopped_cloned_and_added_while_others_train(panel, data_dir, config):
    learning_rates(panel, "1e-4, 3e-4")
    panel.start_button.click()
    (sweep,) = queue.sweeps(data_dir)
    assert panel.run.value == 1, "one is chosen already"
    panel.run.value = 2
    panel.stop_button.click()
    assert "stopped" in panel.runs.value and sweep.unfinished() == [1] and panel.stop_button.disabled
    panel.run.value = 1
    assert not panel.stop_button.disabled
    panel.run.value = 2
    panel.change.value = "weight_decay = 0.1"
    panel.clone_button.click()
    clone = sweep.trials()[3].config
    assert (clone.learning_rate, clone.weight_decay) == (3e-4, 0.1) and "weight_decay" in panel.runs.value
    panel.change.value = "weight_decay"
    panel.clone_button.click()
    assert "Type a change such as" in panel.message.value
    learning_rates(panel, "5e-4,")
    panel.add_button.click()
    assert sweep.unfinished() == [1, 3, 4]
    panel.use_button.click()
    assert panel.form.config == config.with_changes(learning_rate=3e-4, num_processes=1)
    assert panel.start_button.disabled and "No setting has several values" in panel.planned.value


def test_a_sweep_is_deleted_with_its_runs_after_a_question_only(panel, data_dir, config, fake):
    sweep, other = (queue.create(data_dir, config, trials(config, [0.1, 0.9])) for _ in range(2))
    runner.work(sweep)
    panel._list(sweep)
    assert panel.stop_button.disabled, "what is stopped early or finished is not stopped"
    panel.run.value = 2
    assert panel.stop_button.disabled
    panel.delete_button.click()
    assert "Delete sweep-1 and its 2 runs" in panel.confirmation.question.value
    panel.confirmation.no_button.click()
    assert panel.confirmation.layout.display == "none" and sweep.run_dir(2).exists()
    with queue.working(sweep):
        panel.confirmation.yes_button.click()
    assert "sweep-1 is running: pause it first" in panel.message.value and sweep.run_dir(2).exists()
    panel.confirmation.yes_button.click()
    assert queue.sweeps(data_dir) == [other] and not list(data_dir.glob("runs/sweep-1-*"))
    assert panel.list.label == "sweep-2" and panel.message.value == ""


def test_a_sweep_and_other_training_do_not_share_the_machine(panel, data_dir, config, fake, monkeypatch):
    sweep = queue.create(data_dir, config, trials(config, [0.1]))
    fake.start(data_dir / "runs" / "mine", config.with_changes(seed=1), 1)
    started = []
    monkeypatch.setattr("utils.sweeps.runner.time.sleep", lambda seconds: started.append(list(fake.starts)))
    panel._list()
    with queue.working(sweep):
        panel._show()
        assert "sweep-1 is waiting for the end of mine" in panel.status.value
        with pytest.raises(UserError, match="sweep-1 is training. Pause it first"):
            RunPanel(data_dir, config).start()
        learning_rates(panel, "1e-4, 3e-4")
        panel.start_button.click()
        assert "sweep-1 is training. Add these runs to it" in panel.message.value
        assert queue.sweeps(data_dir) == [sweep], "no second one is left behind"
    runner.work(sweep)
    assert fake.starts == ["mine", "sweep-1-01"] and steps(sweep) == [NUM_UPDATES]
    assert started[:3] == [["mine"]] * 3


def test_a_sweep_is_compared_in_notebook_04_and_its_winner_goes_into_the_form(data_dir, config, fake):
    view = SweepView(data_dir)
    assert "No sweep yet" in view.score.value and view.use_button.disabled
    sweep = queue.create(data_dir, config, trials(config, [0.1, 0.9, 0.3, 0.5]))
    runner.work(sweep)
    view = SweepView(data_dir)
    assert 'alt="validation loss (nats per token) against learning_rate, 4 runs' in view.figure.value
    assert view.table.value.index("sweep-1-02") < view.table.value.index("sweep-1-01")
    view.use_button.click()
    form = SettingsForm(config.with_changes(seed=1), data_dir)
    assert (form.config.learning_rate, form.config.seed) == (0.9, config.seed), "whatever the form starts from"
    metrics.append(sweep.run_dir(2), dict(kind="tasks", step=16, pass_rate=0.25, num_tasks=4))
    view.measure.value = results.PASS_RATE
    assert "tasks passed against learning_rate, 1 runs" in view.figure.value, view.message.value


async def panel_of(data_dir, config):
    return SweepPanel(data_dir, SettingsForm(config, data_dir))


@pytest.mark.slow
def test_a_sweep_survives_kills_of_its_processes(data_dir, config):
    """For real: its kernel, its runner and its run are killed, and the sweep ends with every update made once."""
    plan = planner.plan(config, data_dir)
    half = held_out.with_half(config, data_dir)
    sweep = queue.create(data_dir, config, [replace(trials(half, [1e-3])[0], num_updates=plan.num_updates)])
    run_dir = sweep.run_dir(1)
    kernel = (
        "import os, pathlib; from utils.sweeps.queue import Sweep; "
        f"Sweep(pathlib.Path({str(sweep.folder)!r})).start(); os.killpg(0, {int(signal.SIGKILL)})"
    )
    try:
        ended = subprocess.run([sys.executable, "-c", kernel], cwd=artifacts.ROOT, start_new_session=True)
        assert ended.returncode == -signal.SIGKILL
        process = wait_until(lambda: launch.launcher(run_dir))
        sweep.start()
        shown = asyncio.run(panel_of(data_dir, config))
        assert "sweep-1 is training" in shown.status.value and "sweep-1-01" in shown.runs.value, "found again"
        os.kill(int((sweep.folder / queue.LOG).read_text().split("process ")[1].split()[0]), signal.SIGKILL)
        wait_until(lambda: not sweep.is_running)
        assert launch.state(run_dir) == "running", "it outlives its runner"
        wait_until(lambda: metrics.train_lines(metrics.read(run_dir)))
        for child in [process, *process.children(recursive=True)]:
            child.kill()
        wait_until(lambda: launch.state(run_dir) == "failed")
        sweep.start()
        wait_until(lambda: not sweep.is_running)
    finally:
        if process := launch.launcher(run_dir):
            process.kill()
    log = (sweep.folder / queue.LOG).read_text()
    lines = metrics.train_lines(metrics.read(run_dir))
    assert [line["step"] for line in lines] == list(range(1, plan.num_updates + 1)), log
    assert log.count("sweep-1-01 from update") == 2 and results.winner(sweep) == run_dir
    assert "this is the figure to report" in results.score(sweep), log
