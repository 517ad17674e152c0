"""Time estimates: before a run from earlier runs or the machine's speed, during a run from its metrics."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from utils import hardware
from utils.config import RunConfig
from utils.errors import UserError
from utils.model.shape import Shape
from utils.planning.workload import Workload
from utils.runs import folders, metrics

# Assumed MFU. Models of 8 to 42 M parameters reached 0.15 to 0.35 on two cores.
ASSUMED_MFU = 0.25
# Their times differ, because of caches and threads.
NUM_WARMUP_UPDATES = 2
MAX_RECENT_UPDATES = 100


def expected_seconds(
    config: RunConfig,
    data_dir: Path,
    shape: Shape,
    work: Workload,
    device_type: str,
) -> tuple[float | None, str]:
    """The time of updates and evaluations, and the basis of the estimate; None without token rows.

    From the speed of another run with this model on this machine, else from the machine's matrix rate. Not covered:
    the start, checkpoints, and samples at evaluations.
    """
    if work.num_updates is None:
        return None, "unknown until the pairs are tokenized"
    num_evals = 1 + -(-work.num_updates // config.eval_steps)
    tokens = work.num_tokens, work.num_target_tokens
    update, evaluation, basis = expected_update(config, data_dir, shape, *tokens, device_type)
    if evaluation is None:
        share = 2 * shape.num_matrix_parameters / _update_flops(config, shape)[0]  # only forward
        evaluation = share * update * work.num_eval_tokens / work.num_tokens
    return work.num_updates * update + num_evals * evaluation, basis


def expected_update(
    config: RunConfig,
    data_dir: Path,
    shape: Shape,
    num_tokens: float,
    num_target_tokens: float,
    device_type: str,
) -> tuple[float, float | None, str]:
    """The time of an update with so many tokens, of an evaluation where an earlier run had one, and the basis.

    Too long where a CPU computes the common beginning of pairs once.
    """
    name, speed, evaluation = _earlier_run(config, data_dir)
    if name:
        return num_tokens / speed, evaluation, f"from the speed of the earlier run {name}"
    per_token, per_target = _update_flops(config, shape)
    rate = _matrix_rate(device_type, config.dtype) * (1 if device_type == "cpu" else config.num_processes)
    flops = per_token * num_tokens + per_target * num_target_tokens
    basis = (
        f"assumes {100 * ASSUMED_MFU:.0f} % of this machine's peak matrix speed (no earlier run to compare with); "
        "may be off by a factor of two"
    )
    return flops / (ASSUMED_MFU * rate), evaluation, basis


def _update_flops(config: RunConfig, shape: Shape) -> tuple[int, int]:
    """As `Shape.training_flops`, with those of recomputation."""
    per_token, per_target = shape.training_flops(config.lora_rank)
    again = 2 * shape.num_matrix_parameters * (config.activation_checkpointing == "full")
    return per_token + again, per_target


@lru_cache(maxsize=8)
def _matrix_rate(device_type: str, dtype: str) -> float:
    device = torch.device(device_type)
    return hardware.matrix_rate(device, hardware.product_dtype(dtype, device))


def _earlier_run(config: RunConfig, data_dir: Path) -> tuple[str, float, float | None]:
    """The newest comparable run: its name, tokens per second and seconds per evaluation."""
    decisive = ("model_name_or_path", "dtype", "activation_checkpointing", "optim", "num_processes", "lora_rank")
    for run_dir, other in folders.readable(data_dir).items():
        if all(getattr(other, name) == getattr(config, name) for name in decisive):
            with suppress(UserError, LookupError, TypeError, ArithmeticError):  # damaged metrics
                speed, evaluation = _speed(run_dir, folders.written_at(run_dir / metrics.METRICS))
                if speed:
                    return run_dir.name, speed, evaluation
    return "", 0.0, None


@lru_cache(maxsize=32)
def _speed(run_dir: Path, changed: float) -> tuple[float, float | None]:
    """Tokens per second and seconds per evaluation of a run; `changed` keeps the cache up to date."""
    records = metrics.read(run_dir)
    train = metrics.train_lines(records)[NUM_WARMUP_UPDATES:]
    seconds = sum(update_seconds(record) for record in train)
    return (sum(record["num_tokens"] for record in train) / seconds if train else 0.0), eval_seconds(records)


def update_seconds(record: dict[str, Any]) -> float:
    """The time of one update, from its metrics line."""
    return record["num_tokens"] / record["tokens_per_second"]


def eval_seconds(records: Sequence[dict[str, Any]]) -> float | None:
    """The mean time of an evaluation, without the first if there are others; None where not recorded."""
    times = [record["eval_seconds"] for record in metrics.eval_lines(records) if "eval_seconds" in record]
    return float(np.mean(times[1:] or times)) if times else None


def duration(seconds: float) -> str:
    """A duration, rounded as an estimate should be."""
    return str(timedelta(seconds=round(seconds, -1 if seconds < 600 else -2)))


def seconds_left(records: Sequence[dict[str, Any]], num_updates: int) -> float | None:
    """The remaining time of a run, from its newest updates and its evaluations; None before the first update.

    Evaluations are expected at the distance of the last two. Not covered: saving at the end.
    """
    train, evals = metrics.train_lines(records), metrics.eval_lines(records)
    if not train:
        return None
    recent = (train[NUM_WARMUP_UPDATES:] or train)[-MAX_RECENT_UPDATES:]
    update, step = float(np.mean([update_seconds(record) for record in recent])), train[-1]["step"]
    left = (num_updates - step) * update
    if not evals or step >= num_updates:
        return left
    steps = [0, *(record["step"] for record in evals)]
    every = steps[-1] - steps[-2] or 2 * step
    num_evals = -(-num_updates // every) - steps[-1] // every
    seconds = eval_seconds(records)
    return left + num_evals * (update / 3 if seconds is None else seconds)  # older runs did not record it
