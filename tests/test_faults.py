"""A short form of `make faults`: kills and a full disk."""

import random
import signal

import pytest

from faults import files, processes, run
from support.forked_ranks import train_on

pytestmark = pytest.mark.faults


@pytest.fixture
def large_world(tmp_path):
    data_dir, config = run.build_world(tmp_path, 40, num_positions=2**14)
    return data_dir, config.with_changes(num_processes=2)


def test_killed_while_saving_and_ended_by_a_signal_it_resumes_to_the_same_bits(large_world):
    data_dir, config = large_world
    whole = run.new_run(data_dir, config, "whole")
    train_on(2, whole)
    run_dir = run.new_run(data_dir, config, "struck")
    draw = random.Random(0)
    with run.launched(run_dir, config) as process:
        living = processes.next_ranks(run_dir, process, config, {})
        assert processes.kill_one(run_dir, living, draw, while_saving=True) == "saving"
        last, step = {rank: one.pid for rank, one in living.items()}, run.last_step(run_dir)
        assert processes.next_ranks(run_dir, process, config, last)
        run.wait_until(lambda: run.last_step(run_dir) > step, "an update after the kill", 60)
        assert run.assert_same_so_far(run_dir, whole)
        process.send_signal(signal.SIGTERM)
        assert run.finish(run_dir, process, 60) != 0
    assert not (run_dir / "model").exists()
    assert run.newest_step(run_dir) == run.last_step(run_dir)
    train_on(2, run_dir)
    assert run.assert_same(run_dir, whole) > 20


@pytest.fixture
def small_world(tmp_path):
    data_dir, config = run.build_world(tmp_path, 30)
    return data_dir, config.with_changes(max_restarts=0)


def test_a_disk_that_fills_up_while_a_checkpoint_is_written_is_named(small_world):
    try:
        files.fill_at(*small_world, "tensors")
    except run.Skipped as reason:
        pytest.skip(str(reason))
