"""`python -m faults.rank FAULT NUMBER RUN_DIR`: train as `utils.training` does, with something wrong on purpose.

`nan` and `slow` happen to the last rank in update `NUMBER` of this process: its loss is NaN, or it sleeps 60 s first.
`full-…` fills the disk of the run's folder when save `NUMBER` is at that point: before it, while the tensors, a hash,
the state or the manifest are written; or when line `NUMBER` of the metrics, or the model, is. Only a first start is
struck, not one that the launcher's elastic restart made.
"""

import contextlib
import itertools
import os
import runpy
import sys
import time
from pathlib import Path

import torch

from utils.model import loading
from utils.runs import metrics
from utils.training import checkpoint, loss

SLOW_SECONDS = 60
FILLER = "filler"


def fill_disk(folder: Path, leave_bytes: int = 0) -> None:
    with open(folder / FILLER, "wb", buffering=0) as file:
        while not file.tell():
            space = os.statvfs(folder)
            num_bytes = max(1, space.f_bavail * space.f_frsize - leave_bytes)
            with contextlib.suppress(OSError):  # another rank wrote meanwhile
                os.posix_fallocate(file.fileno(), 0, num_bytes)
                file.seek(num_bytes)


def strike_loss(fault: str, number: int) -> None:
    calls = itertools.count(1)
    train = loss.target_loss

    def struck(*arguments, **options):
        value = train(*arguments, **options)
        if torch.is_grad_enabled() and next(calls) == number:
            if fault == "nan":
                return value * torch.nan
            time.sleep(SLOW_SECONDS)
        return value

    loss.target_loss = struck


def strike_disk(phase: str, number: int, run_dir: Path) -> None:
    """Before the call of that number of what the phase calls, fill the disk."""
    owner, name, file_name = {
        "before": (checkpoint.Saver, "save", ""),
        "tensors": (checkpoint, "save_file", ""),
        "hash": (checkpoint, "write_json", ".sha256"),
        "state": (checkpoint, "write_json", "state.json"),
        "manifest": (checkpoint, "write_json", "manifest.json"),
        "metrics": (metrics, "append", ""),
        "model": (loading, "save", ""),
    }[phase]
    calls = itertools.count(1)
    function = getattr(owner, name)

    def struck(*arguments, **options):
        if str(arguments[0]).endswith(file_name) and next(calls) == number:
            fill_disk(run_dir, 2**20 if phase in ("tensors", "model") else 0)
        return function(*arguments, **options)

    setattr(owner, name, struck)


def main(fault: str, number: int, run_dir: str) -> None:
    is_last = int(os.environ.get("RANK", 0)) == int(os.environ.get("WORLD_SIZE", 1)) - 1
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        if fault.startswith("full-"):
            if os.environ.get("RANK", "0") == "0":
                strike_disk(fault.removeprefix("full-"), number, Path(run_dir))
        elif is_last:
            strike_loss(fault, number)
    sys.argv = ["utils.training", run_dir]
    runpy.run_module("utils.training", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
