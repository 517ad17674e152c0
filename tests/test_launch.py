"""A run in processes of its own: started, found again, stopped, gone on with."""

import fcntl
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.metric_lines import train_line
from support.waiting import wait_until
from test_curves import make_run
from utils import files
from utils.config import RunConfig
from utils.errors import UserError
from utils.runs import folders, launch, metrics
from utils.training.distributed import Ranks, only_one
from utils.widgets.run_panel import RunPanel


@pytest.mark.slow
def test_a_run_is_started_once_stopped_resumed_and_removed(world, run_dir):
    config = world[1].with_changes(num_processes=2, num_train_epochs=20.0, eval_steps=50)
    assert launch.state(run_dir) == "new"
    with ThreadPoolExecutor(4) as many:
        states = list(many.map(lambda _: launch.start(run_dir, config), range(4)))
    assert states == ["running"] * 4
    assert launch.log_tail(run_dir).count("$ ") == 1
    pid = launch.launcher(run_dir).pid
    assert os.getsid(pid) == pid, "the launcher has a session of its own, so it outlives whoever started it"
    with pytest.raises(UserError, match="launched is running: stop it first"):
        launch.remove(run_dir)
    assert launch.phase(run_dir) == "starting"
    wait_until(lambda: launch.phase(run_dir) != "starting")
    assert launch.phase(run_dir) == "training", launch.log_tail(run_dir)
    launch.stop(run_dir)
    wait_until(lambda: launch.state(run_dir) != "running")
    assert launch.state(run_dir) == launch.phase(run_dir) == "stopped", launch.log_tail(run_dir)
    stopped_at = metrics.train_lines(metrics.read(run_dir))[-1]["step"]
    launch.start(run_dir, config)
    wait_until(lambda: launch.state(run_dir) != "running")
    assert launch.state(run_dir) == "finished", launch.log_tail(run_dir)
    steps = [record["step"] for record in metrics.train_lines(metrics.read(run_dir))]
    assert steps == list(range(1, 101)) and 0 < stopped_at < 100
    assert launch.start(run_dir, config) == "finished"
    assert folders.runs(world[0]) == [run_dir] and folders.size_bytes(run_dir) > 10_000
    launch.remove(run_dir)
    assert folders.runs(world[0]) == [] and not list((world[0] / "runs").iterdir())


@pytest.mark.slow
def test_a_run_that_fails_says_why(world, run_dir):
    config = world[1].with_changes(model_name_or_path=str(run_dir / "no-model"))
    launch.start(run_dir, config)
    wait_until(lambda: launch.state(run_dir) != "running")
    assert launch.state(run_dir) == "failed"
    assert "Run notebook 02_alpaca_format first" in launch.failure(run_dir)
    (run_dir / "outcome.json").unlink()
    assert launch.state(run_dir) == "failed" and "torch" in launch.failure(run_dir)


def test_another_setting_does_not_go_on_in_the_same_run(world, run_dir):
    run_dir.mkdir(parents=True)
    world[1].save(run_dir / "config.json")
    with pytest.raises(UserError, match="has another learning_rate, seed"):
        launch.start(run_dir, world[1].with_changes(learning_rate=1e-4, seed=1))


def test_a_reused_process_id_is_not_taken_for_the_launcher(run_dir):
    run_dir.mkdir(parents=True)
    (run_dir / "pid.json").write_text(json.dumps({"pid": os.getpid(), "create_time": 1.0}))
    assert launch.launcher(run_dir) is None
    (run_dir / "pid.json").write_text("{")
    assert launch.launcher(run_dir) is None


@pytest.mark.parametrize("recorded", [None, {"pid": os.getpid(), "create_time": 1.0}], ids=["by hand", "clock set"])
def test_a_run_whose_launcher_is_not_known_is_running_while_it_holds_its_lock(new_run, recorded):
    run_dir = new_run("by-hand")
    if recorded:
        files.write_json(run_dir / "pid.json", recorded)
    assert launch.state(run_dir) == "failed"
    with only_one(run_dir, Ranks()):
        assert launch.phase(run_dir) == "starting" and launch.launcher(run_dir) is None
        with pytest.raises(UserError, match="by-hand is running: stop it first"):
            launch.remove(run_dir)
        metrics.append(run_dir, train_line(1))
        os.utime(run_dir / "metrics.jsonl", (2e9, 2e9))
        assert launch.phase(run_dir) == "training"
    assert launch.state(run_dir) == "failed"


def test_who_asks_whether_a_run_is_running_does_not_keep_it_from_starting(new_run, monkeypatch):
    run_dir = new_run("asked-for")
    with open(run_dir / "lock", "w") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert launch.state(run_dir) == "failed", "several may ask at once"
        monkeypatch.setattr("utils.training.distributed.time.sleep", lambda seconds: asking.close())
        with only_one(run_dir, Ranks()):
            assert launch.state(run_dir) == "running"


def test_what_is_half_deleted_is_no_run_and_no_obstacle(tmp_path):
    run_dir, half_deleted = make_run(tmp_path, "again"), make_run(tmp_path, ".again.removed")
    assert folders.runs(tmp_path) == [run_dir]
    launch.remove(run_dir)
    assert folders.runs(tmp_path) == [] and not half_deleted.exists()


def test_a_run_removed_elsewhere_while_runs_are_listed_is_left_out(tmp_path, monkeypatch):
    gone, kept = make_run(tmp_path, "gone"), make_run(tmp_path, "kept")
    monkeypatch.setattr("pathlib.Path.glob", lambda *_: [gone, kept])
    launch.remove(gone)
    assert folders.runs(tmp_path) == [kept] and folders.size_bytes(gone) == 0


@pytest.mark.parametrize("outcome", ["running", "new", "finished", "unreadable", "", "\ud800"])
def test_only_what_training_writes_is_an_outcome(tmp_path, outcome):
    run_dir = make_run(tmp_path, "edited")
    (run_dir / "outcome.json").write_text(json.dumps({"outcome": outcome}))
    assert launch.state(run_dir) == launch.phase(run_dir) == "failed"
    assert f"says {outcome!r}, but {run_dir / 'model'} is missing" in launch.failure(run_dir)
    (run_dir / "outcome.json").write_text('{"outcome": "stopped"}')
    assert launch.state(run_dir) == "stopped"
    (run_dir / "model").mkdir()
    assert launch.state(run_dir) == "finished"


@pytest.mark.parametrize("run", ["../../elsewhere/same", "..", ".", ".same.removed", "same/", "x/../same", "/tmp/same"])
def test_a_run_is_named_by_its_folder_alone(tmp_path, run):
    for folder in (tmp_path, tmp_path / "elsewhere" / "runs"):
        make_run(folder, "same")
    for look_up in (lambda: folders.find_run(tmp_path, RunConfig(), run), lambda: RunPanel(tmp_path, RunConfig(), run)):
        with pytest.raises(UserError, match="RUN must be the name of a folder in .*got"):
            look_up()
    assert folders.find_run(tmp_path, RunConfig(), "same") == tmp_path / "runs" / "same"
