"""Ranks for tests: torchrun's own launcher, its processes forked from one that has everything imported already.

A fresh interpreter takes seconds of a core to import torch and transformers, for each rank of each run.
"""

import multiprocessing
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from utils import hardware
from utils.runs import launch, metrics
from utils.training import samples, task_answers
from utils.training.__main__ import main


def train_on(num_ranks: int, run_dir: Path) -> list[dict[str, Any]]:
    """Train the run in this folder on so many ranks; returns its metrics. What the ranks print is in `ranks.log`."""
    multiprocessing.set_forkserver_preload(["utils.training.trainer", "peft"])
    config = LaunchConfig(
        1, 1, num_ranks, run_id=run_dir.name, start_method="forkserver", max_restarts=0, monitor_interval=0.02,
        rdzv_backend="c10d", rdzv_endpoint=str(run_dir / "rendezvous"), rdzv_configs={"store_type": "file"},
        local_addr="127.0.0.1",
    )  # fmt: skip
    try:
        num_threads = max(1, os.cpu_count() // num_ranks)
        with patch.dict(os.environ, launch.RENDEZVOUS_VARIABLES):
            elastic_launch(config, _train)(run_dir, num_threads, hardware.SIZES, samples.MAX_NEW_TOKENS)
    except Exception as error:
        log = run_dir / "ranks.log"
        raise AssertionError(log.read_text() if log.exists() else "no rank was started") from error
    (run_dir / "rendezvous").unlink()
    return metrics.read(run_dir)


def _train(run_dir: Path, num_threads: int, sizes: dict[str, int], max_new_tokens: int) -> None:
    hardware.SIZES = sizes  # as in the tests' own process
    samples.MAX_NEW_TOKENS = task_answers.MAX_NEW_TOKENS = max_new_tokens
    with open(run_dir / "ranks.log", "a") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    torch.set_num_threads(num_threads)
    del os.environ["TORCHELASTIC_RUN_ID"]  # the parent is the server that forks, not a launcher that could die
    main(run_dir)
