"""Faults of files: checkpoints damaged at random, and a disk that is full at any point of a save."""

import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from faults import run
from faults.rank import FILLER
from utils.config import RunConfig
from utils.training import checkpoint

DISK_BYTES = 2**26
PHASES = {  # and at which call of its kind it strikes
    "before": 3, "tensors": 3, "hash": 3, "state": 3, "manifest": 3, "metrics": 20, "model": 1,
}  # fmt: skip


def damage(folder: Path, draw: random.Random) -> str:
    """Flip a byte of one of the folder's files, cut it short, or delete it; returns what was done."""
    path = draw.choice(sorted(folder.iterdir()))
    content = bytearray(path.read_bytes())
    kind, place = draw.choice(["flip", "truncate", "delete"]), draw.randrange(len(content))
    if kind == "delete":
        path.unlink()
    elif kind == "truncate":
        path.write_bytes(content[:place])
    else:
        content[place] ^= draw.randint(1, 255)
        path.write_bytes(content)
    return f"{kind} {path.name} at {place}"


def corruptions(data_dir: Path, config: RunConfig, num_damaged: int = 300, num_relaunched: int = 10) -> dict[str, str]:
    config, draw, kinds = config.with_changes(num_processes=1), random.Random(0), Counter()
    whole = run.uninterrupted(data_dir, config)
    stopped = run.new_run(data_dir, config, "to-damage")
    shutil.copytree(whole, stopped, dirs_exist_ok=True)
    shutil.rmtree(stopped / "model")
    before, newest = checkpoint.found(stopped)[-2:]
    for index in range(num_damaged):
        run_dir = data_dir / "runs" / f"damaged-{index}"
        shutil.copytree(stopped, run_dir)
        what = damage(run_dir / checkpoint.FOLDER / newest.name, draw)
        kinds[what.split()[0]] += 1
        if index < num_relaunched:
            run.complete(run_dir, config)
            run.assert_same(run_dir, whole)
            assert "is damaged" in run.said(run_dir), f"{what}: the log does not say it"
        else:
            said: list[str] = []
            good = checkpoint.newest_good(run_dir, said.append)
            assert good is not None and good.name == before.name, f"{what}: not noticed"
            assert said and newest.name in said[0], f"{what}: the log does not say it"
        aside = run_dir / checkpoint.FOLDER / f"{newest.name}.corrupt"
        assert aside.is_dir(), f"{what}: not set aside"
        shutil.rmtree(run_dir)
    fault = "newest checkpoint damaged: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return run.row(
        fault, num_damaged, f"all noticed, the one before taken; {num_relaunched} relaunched to the same bits"
    )


@contextmanager
def small_disk(folder: Path):
    """A file system of `DISK_BYTES` at the folder; raises `Skipped` where it cannot be made."""
    run.needs(sys.platform == "linux" and os.geteuid() == 0, "a small tmpfs needs root on Linux")
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], timeout=30)
    run.needs(mounted.returncode == 0, "a small tmpfs cannot be mounted here")
    try:
        yield
    finally:
        run.kill_all(folder)
        subprocess.run(["umount", "--lazy", folder], check=True, timeout=30)


def fill_at(data_dir: Path, config: RunConfig, phase: str) -> None:
    """The disk fills up at this point: the run ends and says why; with space again, it goes on to the same bits."""
    whole = run.uninterrupted(data_dir, config)
    name = f"full-{phase}-{config.num_processes}"
    with small_disk(data_dir / "runs" / name):
        run_dir = run.new_run(data_dir, config, name)
        with run.launched(run_dir, config, fault=[f"full-{phase}", str(PHASES[phase])]) as process:
            status = run.finish(run_dir, process, 120)
        said = run.said(run_dir)
        assert status != 0 and not (run_dir / "model").exists(), f"{name}: ended with {status}"
        # What is not a checkpoint is small: the full disk is named without a size.
        word = r"the disk is full" if phase in ("metrics", "model") else r"needs [\d,]+ bytes"
        assert re.search(f"error: .*{word}", said), f"{name}: no word of the space needed:\n{said[-1500:]}"
        (run_dir / FILLER).unlink()
        expected = {"metrics": 15, "model": config.save_steps * (run.last_step(whole) // config.save_steps)}
        assert run.newest_step(run_dir) >= expected.get(phase, 10), f"{name}: the earlier checkpoint is gone"
        run.complete(run_dir, config)
        run.assert_same(run_dir, whole)


def full_disk(data_dir: Path, config: RunConfig) -> dict[str, str]:
    config = config.with_changes(max_restarts=0)
    cases = [(phase, 1) for phase in PHASES] + [(phase, 2) for phase in ("before", "tensors", "manifest", "model")]
    misses = []
    for phase, num_ranks in cases:
        try:
            fill_at(data_dir, config.with_changes(num_processes=num_ranks), phase)
            print(f"  disk full, {phase}, {num_ranks} ranks: went on to the same bits", flush=True)
        except AssertionError as error:
            print(f"  disk full, {phase}, {num_ranks} ranks: MISSED: {error}", flush=True)
            misses.append(f"{phase} on {num_ranks}")
    assert not misses, f"missed: {', '.join(misses)}"
    held = "earlier checkpoint kept, the full disk named, with the bytes of a checkpoint; went on to the same bits"
    return run.row("disk full at " + ", ".join(PHASES), len(cases), held)
