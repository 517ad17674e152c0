"""How long a run takes: before it starts, from earlier runs or the machine; while it runs, from its metrics."""

from collections.abc import Sequence
from contextlib import suppress
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

# Of the machine's matrix rate, what training reached with models of 8 to 42 M parameters on two cores: 0.15 to 0.35.
RATE_SHARE = 0.25
# The first updates, of which caches and threads make other times.
NUM_WARMUP_UPDATES = 2
MAX_RECENT_UPDATES = 100


def expected_seconds(
    config: RunConfig,
    data_dir: Path,
    shape: Shape,
    work: Workload,
    device_type: str,
    num_devices: int,
    begun: Path | None = None,
) -> tuple[float | None, str]:
    """How long the updates and the evaluations will take, and where that comes from; None where there are no tokens.

    By the speed of another run with this model on this machine, that is not the one in the folder `begun`, else by the
    machine's matrix rate. Not covered: the start, checkpoints, and what the model answers at evaluations.
    """
    if work.num_updates is None:
        return None, "not known before the pairs are tokenised"
    # Operations for each weight and token: two forward, two for the gradient of what goes in, two for the weight's own.
    per_weight, again = 4 if config.lora_rank else 6, 2 * (config.activation_checkpointing == "full")
    num_evals = 1 + -(-work.num_updates // config.eval_steps)
    name, speed, evaluation = _earlier_run(config, data_dir, begun)
    if name:
        update = work.num_tokens / speed
        basis = f"the speed of an earlier run here, {name}"
    else:
        rate = _matrix_rate(device_type, config.dtype) * num_devices
        blocks, head = (per_weight + again) * shape.num_matrix_parameters, per_weight * shape.num_head_parameters
        flops = blocks * work.num_tokens + head * work.num_trained_tokens
        update = flops / (RATE_SHARE * rate)
        basis = f"{RATE_SHARE:.0%} of this machine's matrix rate: a guess, easily wrong by a factor of two"
    if evaluation is None:
        evaluation = 2 / (per_weight + again) * update * work.num_eval_tokens / work.num_tokens
    return work.num_updates * update + num_evals * evaluation, basis


@lru_cache(maxsize=8)
def _matrix_rate(device_type: str, dtype: str) -> float:
    device = torch.device(device_type)
    return hardware.matrix_rate(device, hardware.product_dtype(dtype, device))


def _earlier_run(config: RunConfig, data_dir: Path, begun: Path | None) -> tuple[str, float, float | None]:
    """The newest run but `begun` that computes as this one: its name, tokens per second and seconds per evaluation."""
    decisive = ("model_name_or_path", "dtype", "activation_checkpointing", "optim", "num_processes", "lora_rank")
    for run_dir, other in folders.readable(data_dir).items():
        is_another = begun is None or run_dir.name != begun.name
        if is_another and all(getattr(other, name) == getattr(config, name) for name in decisive):
            with suppress(UserError, LookupError, TypeError, ArithmeticError):  # metrics that are none
                speed, evaluation = _speed(run_dir, folders.written_at(run_dir / metrics.METRICS))
                if speed:
                    return run_dir.name, speed, evaluation
    return "", 0.0, None


@lru_cache(maxsize=32)
def _speed(run_dir: Path, changed: float) -> tuple[float, float | None]:
    """Tokens per second and seconds per evaluation of a run whose metrics were last `changed` then."""
    records = metrics.read(run_dir)
    train = metrics.train_lines(records)[NUM_WARMUP_UPDATES:]
    seconds = sum(update_seconds(record) for record in train)
    return (sum(record["num_tokens"] for record in train) / seconds if train else 0.0), eval_seconds(records)


def update_seconds(record: dict[str, Any]) -> float:
    """The time of one update, from its line in the metrics."""
    return record["num_tokens"] / record["tokens_per_second"]


def eval_seconds(records: Sequence[dict[str, Any]]) -> float | None:
    """The mean time of an evaluation, without the first, if there are others; None where it was not recorded."""
    times = [record["eval_seconds"] for record in metrics.eval_lines(records) if "eval_seconds" in record]
    return float(np.mean(times[1:] or times)) if times else None


def seconds_left(records: Sequence[dict[str, Any]], num_updates: int, eval_steps: int = 0) -> float | None:
    """How long a run still takes, by its newest updates and its evaluations so far; None before its first update.

    Without `eval_steps` the evaluations to come are taken to be as far apart as the last two. Not covered: the last
    checkpoint and the model, which are written at the end.
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
    every = eval_steps or steps[-1] - steps[-2] or 2 * step
    num_evals = -(-num_updates // every) - steps[-1] // every
    seconds = eval_seconds(records)
    if seconds is None:  # it was not recorded: a third of an update with as many trained tokens
        seconds = update * evals[-1]["num_trained_tokens"] / np.mean([r["num_trained_tokens"] for r in recent]) / 3
    return left + num_evals * float(seconds)
