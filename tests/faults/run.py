"""A run for the fault suite: its world, its processes, and whether it is bit for bit the run that nothing befell.

Every wait has a limit, and every process that names a run's folder is killed when its block ends.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from support.waiting import wait_until
from support.world import make_world
from utils import artifacts
from utils.config import RunConfig
from utils.runs import launch, metrics
from utils.training import checkpoint

# What has to be the same in every bit; times and memory may differ.
EXACT = ["kind", "step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm", "num_tokens", "num_target_tokens"]
SHUTDOWN_SECONDS = 20  # the launcher's grace for ranks that it ends
RUN_SECONDS = 500  # what anything may take that is given no limit of its own


class Skipped(Exception):
    """A part that this machine cannot run."""


def needs(condition: bool, reason: str) -> None:
    if not condition:
        raise Skipped(reason)


def row(fault: str, count: int | str, held: str) -> dict[str, str]:
    return {"fault": fault, "count": str(count), "held": held}


def build_world(folder: Path, num_pairs: int, num_positions: int = 512) -> tuple[Path, RunConfig]:
    """`make_world` with a model of its own: many positions make it large, and slow to save, but hardly slower to train.

    2**14 positions: 2.7 M parameters, 32 MB a checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data_dir, config = make_world(folder, num_pairs)
    shape = dict(n_layer=4, n_embd=128, n_head=4, vocab_size=320, eos_token_id=0, bos_token_id=0)
    torch.manual_seed(0)
    network = GPTBigCodeForCausalLM(GPTBigCodeConfig(**shape, n_positions=num_positions))
    network.save_pretrained(config.model_name_or_path)
    return data_dir, config.with_changes(train_batch_size=2, save_steps=5, eval_steps=20, learning_rate=1e-3)


def new_run(data_dir: Path, config: RunConfig, name: str) -> Path:
    run_dir = data_dir / "runs" / name
    run_dir.mkdir(parents=True, exist_ok=True)
    config.save(run_dir / "config.json")
    return run_dir


def said(run_dir: Path) -> str:
    """All that the run's processes printed; kept beside the folder, which may be on a disk that is full."""
    path = run_dir.with_suffix(".log")
    return path.read_text(errors="replace") if path.exists() else ""


def command(run_dir: Path, config: RunConfig, fault: list[str], launcher: list[str]) -> list[str]:
    """With a `launcher` or the workbook's own, for one process with plain Python; a fault is `rank.py`'s."""
    if not launcher:
        launcher = launch.command(run_dir, config)
        launcher = launcher[: launcher.index("-m")] if config.num_processes > 1 else [sys.executable]
    program = ["-m", "faults.rank", *fault] if fault else ["-m", "utils.training"]
    return [*launcher, *program, str(run_dir)]


@contextlib.contextmanager
def launched(run_dir: Path, config: RunConfig, *, fault=(), launcher=(), **environment) -> Iterator:
    whole = command(run_dir, config, list(fault), list(launcher))
    variables = {"PYTHONPATH": f"{artifacts.ROOT}{os.pathsep}{artifacts.ROOT / 'tests'}"} | environment
    with open(run_dir.with_suffix(".log"), "a") as log:
        process = subprocess.Popen(
            whole, cwd=artifacts.ROOT, env=launch._environment(config, SHUTDOWN_SECONDS) | variables,
            start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield process
    finally:
        kill_all(run_dir)
        process.wait(timeout=30)


def processes(run_dir: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(run_dir) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_all(run_dir: Path) -> None:
    for process in processes(run_dir):
        with contextlib.suppress(psutil.Error):
            process.kill()


def ranks(run_dir: Path) -> dict[int, psutil.Process]:
    """The run's ranks that live, by their number; a launcher has none."""
    found = {}
    for process in processes(run_dir):
        with contextlib.suppress(psutil.Error):
            variables = process.environ()
            if "TORCHELASTIC_RUN_ID" in variables:
                found[int(variables["RANK"])] = process
    return found


def finish(run_dir: Path, process: subprocess.Popen, seconds: float = RUN_SECONDS) -> int:
    wait_until(lambda: process.poll() is not None, f"the end of {run_dir.name}", seconds)
    return process.returncode


def complete(run_dir: Path, config: RunConfig, **options) -> None:
    with launched(run_dir, config, **options) as process:
        status = finish(run_dir, process)
    assert status == 0 and (run_dir / "model").exists(), f"{run_dir.name} ended with {status}:\n{said(run_dir)[-3000:]}"


def uninterrupted(data_dir: Path, config: RunConfig) -> Path:
    """A run with these settings that nothing befalls; made once for each number of ranks and of pairs."""
    run_dir = data_dir / "runs" / f"whole-{config.num_processes}-{config.max_train_samples}"
    if not run_dir.exists():
        complete(new_run(data_dir, config, run_dir.name), config)
    return run_dir


def last_step(run_dir: Path) -> int:
    return max((record["step"] for record in metrics.read(run_dir)), default=0)


def lines(run_dir: Path) -> list[list]:
    return [[record.get(name) for name in EXACT] for record in metrics.read(run_dir)]


def assert_same_so_far(run_dir: Path, whole: Path) -> int:
    """Every line that is there is, bit for bit, the uninterrupted run's in its place; returns how many."""
    mine, expected = lines(run_dir), lines(whole)
    for line, other in zip(mine, expected, strict=False):
        assert line == other, f"{run_dir.name} differs from {whole.name}: {line} != {other}"
    assert len(mine) <= len(expected), f"{run_dir.name} has lines that {whole.name} has not"
    return len(mine)


def assert_same(run_dir: Path, whole: Path) -> int:
    """All lines and the tuned model are those of the uninterrupted run; returns the number of lines."""
    num_lines = assert_same_so_far(run_dir, whole)
    assert num_lines == len(lines(whole)), f"{run_dir.name} lacks lines"
    steps = [record["step"] for record in metrics.train_lines(metrics.read(run_dir))]
    assert steps == list(range(1, len(steps) + 1)), f"{run_dir.name}: updates missing or twice"
    assert weights(run_dir) == weights(whole), f"{run_dir.name}: other weights than {whole.name}"
    return num_lines


def weights(run_dir: Path) -> dict[str, str]:
    hashes = {path.name: artifacts.sha256_file(path) for path in (run_dir / "model").glob("*.safetensors")}
    assert hashes, f"{run_dir} holds no tuned model"
    return hashes


def newest_step(run_dir: Path) -> int:
    """The update of the newest checkpoint, which must hold; asks as a starting run does."""
    folder = checkpoint.newest_good(run_dir, print)
    assert folder is not None, f"{run_dir.name} has no good checkpoint"
    return int(re.search(r"\d+", folder.name)[0])


def is_saving(run_dir: Path, since: float) -> bool:
    """Whether a checkpoint is being written that was begun after this time; an older one is what a kill left behind."""
    for folder in (run_dir / checkpoint.FOLDER).glob("step-*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if folder.stat().st_mtime > since:
                return True
    return False


def send(process: psutil.Process, number: signal.Signals) -> None:
    os.kill(process.pid, number)
