"""Faults of one rank that the others have to notice: a loss that is no number, silence, a cut link; not slowness."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from faults import run
from faults.rank import SLOW_SECONDS
from utils import artifacts
from utils.config import RunConfig
from utils.runs import launch
from utils.tokens import dataset, packing

NOTICED_SECONDS = 30
HOSTS = {"faults-a": "10.213.77.1", "faults-b": "10.213.77.2"}
CABLE = "faults0"


def nan(data_dir: Path, config: RunConfig) -> dict[str, str]:
    """A loss of NaN on the last rank alone: nobody updates, and the message has the step, the rank and the rows."""
    for num_ranks, step in ((2, 8), (2, 1), (4, 11)):
        config = config.with_changes(num_processes=num_ranks, max_restarts=0)
        whole = run.uninterrupted(data_dir, config)
        run_dir = run.new_run(data_dir, config, f"nan-{num_ranks}-{step}")
        with run.launched(run_dir, config, fault=["nan", str(step)]) as process:
            status = run.finish(run_dir, process, 120)
        said = run.said(run_dir)
        rows = dataset.load(artifacts.tokens_dir(data_dir, config), "train")
        chosen = packing.choose_rows(rows, config.max_length, config.max_train_samples, config.seed)
        listed = packing.update_rows(chosen, config.train_batch_size, config.seed, step - 1).tolist()
        for part in (f"update {step}: loss nan", f"[{num_ranks - 1}]", "this update was not made", str(listed)):
            assert part in said, f"{run_dir.name}: nothing about {part!r}:\n{said[-1500:]}"
        assert status != 0 and run.last_step(run_dir) == step - 1, f"{run_dir.name}: logged a step that was not made"
        if step > config.save_steps:
            assert run.newest_step(run_dir) == (step - 1) // config.save_steps * config.save_steps
        run.complete(run_dir, config)
        run.assert_same(run_dir, whole)
        print(f"  NaN on 1 of {num_ranks} ranks in update {step}: stopped, went on to the same bits", flush=True)
    held = "all stopped before the update; step, rank and rows named; went on to the same bits"
    return run.row("loss NaN on one rank of 2 and 4", 3, held)


def stop_one(data_dir: Path, config: RunConfig, rank: int) -> float:
    """SIGSTOP a rank in the middle of training: returns the seconds until all others have ended."""
    whole = run.uninterrupted(data_dir, config)
    run_dir = run.new_run(data_dir, config, f"silent-{config.num_processes}-{rank}")
    with run.launched(run_dir, config) as process:
        run.wait_until(lambda: run.last_step(run_dir) >= 7, f"update 7 of {run_dir.name}", 120)
        others = run.ranks(run_dir)
        run.send(others.pop(rank), signal.SIGSTOP)
        start = time.monotonic()
        run.wait_until(lambda: not any(map(run.is_alive, others.values())), "the others to end", 60)
        seconds = time.monotonic() - start
        status = run.finish(run_dir, process)
    assert status == 0, f"{run_dir.name}: the elastic restart ended with {status}:\n{run.said(run_dir)[-2000:]}"
    run.assert_same(run_dir, whole)
    print(f"  rank {rank} of {config.num_processes} stopped: others ended after {seconds:.1f} s", flush=True)
    return seconds


def silence(data_dir: Path, config: RunConfig) -> dict[str, str]:
    cases = [(2, 0), (2, 1), (4, 2)]
    seconds = [stop_one(data_dir, config.with_changes(num_processes=num), rank) for num, rank in cases]
    assert max(seconds) <= NOTICED_SECONDS, f"noticed after {max(seconds):.1f} s"
    held = f"the others ended within {max(seconds):.1f} s; the elastic restart went on to the same bits"
    return run.row("SIGSTOP of a rank", len(cases), held)


def slow(data_dir: Path, config: RunConfig) -> dict[str, str]:
    config = config.with_changes(num_processes=2, max_restarts=0)
    whole = run.uninterrupted(data_dir, config)
    run_dir = run.new_run(data_dir, config, "slow")
    start = time.monotonic()
    run.complete(run_dir, config, fault=["slow", "9"])
    assert time.monotonic() - start > SLOW_SECONDS, "the rank was not slow"
    run.assert_same(run_dir, whole)
    return run.row(f"a rank slow for {SLOW_SECONDS} s", 1, "waited for, without a restart, to the same bits")


@contextlib.contextmanager
def two_hosts() -> Iterator[None]:
    """Two network namespaces joined by one cable, which `ip link` can cut; raises `Skipped` without root."""
    run.needs(sys.platform == "linux" and os.geteuid() == 0 and bool(shutil.which("ip")), "namespaces need root")
    names = list(HOSTS)
    ip("netns", "add", names[0])
    try:
        ip("netns", "add", names[1])
        ip("-n", names[0], "link", "add", CABLE, "type", "veth", "peer", "name", CABLE, "netns", names[1])
        for name, address in HOSTS.items():
            ip("-n", name, "address", "add", f"{address}/24", "dev", CABLE)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", CABLE, "up")
        yield
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], timeout=30, stderr=subprocess.DEVNULL)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=30)


@contextlib.contextmanager
def on_two_hosts(run_dir: Path, config: RunConfig, start: str) -> Iterator[list[subprocess.Popen]]:
    """One launcher on each host, as README.md has it for several machines; `start` names this start of theirs."""
    with contextlib.ExitStack() as stack:
        launchers = []
        for name, address in HOSTS.items():
            options = ["--nnodes", "2", "--nproc_per_node", "1", *launch.RENDEZVOUS, "--local_addr", address]
            options += ["--rdzv_endpoint", str(run_dir / "rendezvous"), "--rdzv_id", start]
            launcher = ["ip", "netns", "exec", name, sys.executable, "-m", "torch.distributed.run", *options]
            launched = run.launched(run_dir, config, launcher=launcher, **launch.RENDEZVOUS_VARIABLES)
            launchers.append(stack.enter_context(launched))
        yield launchers


def listening(host: str) -> set[str]:
    result = subprocess.run(["ip", "netns", "exec", host, "ss", "-ltnH"], capture_output=True, text=True, check=True)
    return {line.split()[3].rpartition(":")[0] for line in result.stdout.splitlines()}


def link_cut(data_dir: Path, config: RunConfig) -> dict[str, str]:
    """The cable between two hosts is cut in the middle of training, and put back before both are started again."""
    config = config.with_changes(num_processes=2, max_restarts=0)
    with two_hosts():
        whole = run.uninterrupted(data_dir, config)
        run_dir = run.new_run(data_dir, config, "link-cut")
        with on_two_hosts(run_dir, config, "first"):
            run.wait_until(lambda: run.last_step(run_dir) >= 12, "update 12 on two hosts", 120)
            living = run.ranks(run_dir)
            assert len(living) == 2
            opened = {host: listening(host) for host in HOSTS}
            assert opened == {host: {address} for host, address in HOSTS.items()}, f"listening: {opened}"
            ip("-n", "faults-b", "link", "set", CABLE, "down")
            start = time.monotonic()
            run.wait_until(lambda: not any(map(run.is_alive, living.values())), "both ends to notice", 120)
            seconds = time.monotonic() - start
        print(f"  link cut: both ends ended after {seconds:.1f} s", flush=True)
        reasons = re.findall(r"rank \d: .*(?:silent|does not answer).*", run.said(run_dir))
        ip("-n", "faults-b", "link", "set", CABLE, "up")
        with on_two_hosts(run_dir, config, "second") as launchers:
            statuses = [run.finish(run_dir, launcher, 240) for launcher in launchers]
        assert statuses == [0, 0], f"the second start ended with {statuses}:\n{run.said(run_dir)[-3000:]}"
        run.assert_same(run_dir, whole)
    assert seconds <= NOTICED_SECONDS, f"noticed after {seconds:.1f} s"
    held = f"only the cable's addresses listened; both ended within {seconds:.1f} s ({len(reasons)} said why); "
    return run.row("link between two hosts cut", 1, held + "started again, the same bits")
