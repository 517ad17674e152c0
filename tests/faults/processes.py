"""Faults of processes: killed at any moment and while saving; asked to end by a signal."""

import itertools
import random
import signal
import time
from pathlib import Path

import psutil

from faults import run
from utils.config import RunConfig

MANY = 10_000  # restarts that the launcher may make


def next_ranks(run_dir: Path, process, config: RunConfig, last: dict[int, int]) -> dict[int, psutil.Process]:
    """The ranks once all of them have been started anew; none when the run has ended instead."""

    def found():
        if process.poll() is not None:
            return "ended"
        living = run.ranks(run_dir)
        fresh = [process for rank, process in living.items() if process.pid != last.get(rank)]
        return living if len(fresh) == config.num_processes else None

    # Not oftener: the look through all processes takes time from the ranks, which are loading.
    living = run.wait_until(found, f"the restart of {run_dir.name}", 120, poll_seconds=0.1)
    return {} if living == "ended" else living


def wait_for_save(run_dir: Path, since: float, living: dict[int, psutil.Process], draw: random.Random) -> None:
    """Return at any moment of the saves to come, each as likely as the next; or when a rank ends, or after a minute."""
    end = time.monotonic() + 60
    while time.monotonic() < end and all(map(run.is_alive, living.values())):
        time.sleep(0.004)
        if run.is_saving(run_dir, since) and draw.random() < 0.02:
            return


def kill_one(run_dir: Path, living: dict[int, psutil.Process], draw: random.Random, while_saving: bool) -> str:
    """SIGKILL a rank that is drawn: returns `saving` or `training`, or `missed` when it had ended already."""
    try:
        since = max(process.create_time() for process in living.values())
        if while_saving:
            wait_for_save(run_dir, since, living, draw)
        else:
            time.sleep(draw.uniform(0, 12))
        victim = living[draw.choice(sorted(living))]
        moment = "saving" if run.is_saving(run_dir, since) else "training"
        if not run.is_alive(victim):
            return "missed"
        victim.kill()
    except psutil.NoSuchProcess:
        return "missed"
    return moment


def kill_through_run(run_dir: Path, config: RunConfig, whole: Path, draw: random.Random, moments) -> list[str]:
    """Launch a run and kill a rank at each of the moments (while saving or not) until it has ended all the same."""
    kills, last = [], {}
    config = config.with_changes(max_restarts=MANY)
    with run.launched(run_dir, config) as process:
        for while_saving in moments:
            living = next_ranks(run_dir, process, config, last)
            if not living:
                break
            last = {rank: one.pid for rank, one in living.items()}
            kills.append(kill_one(run_dir, living, draw, while_saving))
            run.assert_same_so_far(run_dir, whole)
        status = run.finish(run_dir, process)
    assert status == 0, f"{run_dir.name} ended with {status}:\n{run.said(run_dir)[-3000:]}"
    run.assert_same(run_dir, whole)
    return [kill for kill in kills if kill != "missed"]


def kills(data_dir: Path, config: RunConfig, num_ranks: int, num_kills: int, seed: int = 0) -> dict[str, str]:
    config = config.with_changes(num_processes=num_ranks)
    whole = run.uninterrupted(data_dir, config)
    draw, made, num_runs, start = random.Random(seed), [], 0, time.monotonic()
    while len(made) < num_kills:
        num_runs += 1
        run_dir = run.new_run(data_dir, config, f"killed-{num_ranks}-{num_runs}")
        moments = [draw.random() < 0.6 for _ in range(num_kills - len(made))]
        made += kill_through_run(run_dir, config, whole, draw, moments)
        minutes = (time.monotonic() - start) / 60
        print(f"  {len(made)} kills of {num_ranks} ranks in {minutes:.1f} min, {num_runs} runs the same", flush=True)
    count = f"{len(made)}, {made.count('saving')} of them while saving"
    held = f"{num_runs} runs, {len(run.lines(whole))} lines and the weights of each the same bits"
    return run.row(f"SIGKILL of a rank, {num_ranks} ranks", count, held)


def signal_run(data_dir: Path, config: RunConfig, number: signal.Signals, target: str, step: int) -> None:
    """Send the signal to the launcher or a rank after an update; the run saves there, and goes on to the same bits."""
    whole = run.uninterrupted(data_dir, config)
    run_dir = run.new_run(data_dir, config, f"{number.name}-{target.replace(' ', '-')}")
    with run.launched(run_dir, config) as process:
        run.wait_until(lambda: run.last_step(run_dir) >= step, f"update {step} of {run_dir.name}", 120)
        rank = None if target == "launcher" else int(target.split()[1])
        run.send(process if rank is None else run.ranks(run_dir)[rank], number)
        status = run.finish(run_dir, process, 60)
    assert (status != 0) == (rank is None), f"{run_dir.name}: the launcher ended with {status}"
    assert not (run_dir / "model").exists(), f"{run_dir.name} ended before the signal came"
    assert run.newest_step(run_dir) == run.last_step(run_dir) >= step, f"{run_dir.name}: not saved where it was"
    run.complete(run_dir, config)
    run.assert_same(run_dir, whole)


def signals(data_dir: Path, config: RunConfig) -> dict[str, str]:
    config = config.with_changes(num_processes=2)
    cases = list(itertools.product((signal.SIGTERM, signal.SIGINT), ("launcher", "rank 0", "rank 1")))
    for index, (number, target) in enumerate(cases):
        # Not at a step where a checkpoint is made anyway.
        signal_run(data_dir, config, number, target, step=config.save_steps + 2 + index)
        print(f"  {number.name} to {target}: saved, went on to the same bits", flush=True)
    held = "saved at the update it was in, went on to the same bits"
    return run.row("SIGTERM or SIGINT to the launcher or to a rank", len(cases), held)
