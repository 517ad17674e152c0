"""What a run needs in memory, disk, updates, time and money, and what there is, before it starts; compared afterwards.

Memory is counted in `utils.planning.memory`. Measured on CPUs only: of GPUs nothing here has been measured.
"""

import shutil
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

import psutil

from utils import hardware
from utils.config import RunConfig
from utils.errors import UserError
from utils.hardware import Device, format_bytes
from utils.model import loading
from utils.model.shape import config_key, shape_of
from utils.planning import memory, timing, workload
from utils.runs import metrics


@dataclass(frozen=True)
class Plan:
    """What a run needs, in parts, beside what there is.

    `memory_bytes_per_process` has the parts weights, gradients, optimizer, activations, logits and workspace, which
    holds the program itself on a CPU, the driver's context on a GPU, and copies: gathered weights, a checkpoint that is
    being written. `main_memory_bytes` is what all processes on GPUs need besides. `cost` is in the price's currency.
    """

    config: RunConfig
    data_dir: Path
    model_key: str  # the model's configuration
    num_parameters: int
    num_processes: int
    devices: tuple[Device, ...]
    memory_bytes_per_process: dict[str, int]
    free_bytes_per_process: int
    main_memory_bytes: int
    free_main_memory_bytes: int
    num_updates: int | None
    tokens_per_update: float
    tokens_basis: str
    seconds: float | None
    seconds_basis: str
    cost: float | None
    disk_bytes: dict[str, int]
    free_disk_bytes: int

    @property
    def memory_bytes(self) -> int:
        """What one process needs in all."""
        return sum(self.memory_bytes_per_process.values())

    @property
    def fits(self) -> bool:
        """Whether there is memory enough; the disk is another question."""
        has_main_memory = self.main_memory_bytes <= self.free_main_memory_bytes
        return self.memory_bytes <= self.free_bytes_per_process and has_main_memory

    @property
    def save_seconds(self) -> int:
        """How long a checkpoint may take: half a minute, and its bytes at 100 MB/s, as a slow disk writes them."""
        return 30 + round(self.disk_bytes["checkpoints"] / 1e8)


def plan(config: RunConfig, data_dir: Path, price_per_hour: float | None = None, begun: Path | None = None) -> Plan:
    """What the run needs beside what this machine has; `price_per_hour` is that of all its devices together.

    `begun` is the run's folder, where it has one: its time is not estimated from its own speed.

    Raises `UserError` for more processes than GPUs. Not covered: several machines, and models whose blocks differ.
    """
    found, key = hardware.devices(config.num_processes), config_key(loading.load_config(config))
    shape, work = shape_of(key), workload.count(config, data_dir, len(found))
    disk = memory.disk_bytes(config, shape)
    kind, num_devices = found[0].type, 1 if found[0].type == "cpu" else len(found)
    decided = config.with_changes(num_processes=len(found))  # as a run that was started has it
    seconds, seconds_basis = timing.expected_seconds(decided, data_dir, shape, work, kind, num_devices, begun)
    runs = Path(data_dir) / "runs"
    existing = next(folder for folder in [runs, *runs.absolute().parents] if folder.exists())
    # Beside the newest checkpoints the best is kept, and one is being written.
    num_checkpoints = config.save_total_limit + 2
    return Plan(
        config=config,
        data_dir=Path(data_dir),
        model_key=key,
        num_parameters=shape.num_parameters,
        num_updates=work.num_updates,
        tokens_per_update=work.num_tokens,
        tokens_basis=work.basis,
        seconds=seconds,
        seconds_basis=seconds_basis,
        cost=None if price_per_hour is None or seconds is None else price_per_hour * seconds / 3600,
        disk_bytes={
            "checkpoints": disk["checkpoint"] * num_checkpoints,
            "model": disk["model"],
        },
        free_disk_bytes=shutil.disk_usage(existing).free,
        **_memory(config, key, found, work),
    )


def _memory(config: RunConfig, key: str, found: tuple[Device, ...], work: workload.Workload) -> dict[str, Any]:
    """The fields of a plan that say whether there is memory enough."""
    kind, count = found[0].type, len(found)
    return dict(
        num_processes=count,
        devices=found,
        memory_bytes_per_process=memory.parts(config, key, work, count, kind),
        free_bytes_per_process=min(device.free_bytes for device in found),
        main_memory_bytes=0 if kind == "cpu" else memory.main_memory_bytes(config, key, work, count),
        free_main_memory_bytes=psutil.virtual_memory().available,
    )


def check(plan: Plan) -> None:
    """Raise `UserError` when the run does not fit, saying what is needed, what there is and what to change."""
    if refused := refusal(plan):
        raise UserError(refused)


def refusal(plan: Plan) -> str | None:
    """Why the run does not fit, into memory or on the disk, and what to change; None when it does."""
    if not plan.fits:
        needed, free = plan.memory_bytes, plan.free_bytes_per_process
        each = f"each of {plan.num_processes} processes" if plan.num_processes > 1 else "the one process"
        text = (
            f"{each} needs {format_bytes(needed)} of memory; {plan.devices[0].name} "
            f"has {format_bytes(free)} free for it. "
        )
        if needed <= free:
            text = (
                f"the processes need {format_bytes(plan.main_memory_bytes)} of main memory; "
                f"{format_bytes(plan.free_main_memory_bytes)} are free. "
            )
        if change := smallest_change(plan):
            return f"{text}It would fit with {' and '.join(f'{k}={v}' for k, v in change.items())}."
        adapters = "" if plan.config.lora_rank else ", or train adapters (lora_rank)"
        return f"{text}No one or two settings make it fit: choose a smaller model, or more memory{adapters}."
    needed = sum(plan.disk_bytes.values())
    if needed > plan.free_disk_bytes:
        return (
            f"checkpoints and model need {format_bytes(needed)} of disk; {format_bytes(plan.free_disk_bytes)} are "
            "free. Lower save_total_limit, or free some space."
        )
    return None


def smallest_change(plan: Plan) -> dict[str, Any] | None:
    """The one or two settings that make the run fit, what costs least first; None when it fits, or nothing does.

    First what changes no result (smaller blocks, activations computed again), then optimizer and weights of fewer bits,
    then more processes, then main memory in place of the GPU's.
    """
    if plan.fits:
        return None
    changes = list(_changes(plan.config))
    for number in (1, 2):
        for chosen in combinations(changes, number):
            change = {name: value for one in chosen for name, value in one.items()}
            if len(change) < number:  # two values of one setting
                continue
            config = plan.config.with_changes(**change)
            found = hardware.devices(config.num_processes)
            work = workload.count(config, plan.data_dir, len(found))
            if replace(plan, **_memory(config, plan.model_key, found, work)).fits:
                return change
    return None


def _changes(config: RunConfig):
    """Every single change that can save memory, what costs the user least first."""
    found = hardware.devices(config.num_processes)
    size = config.tokens_per_device // 2
    while size > config.max_length:
        yield {"tokens_per_device": size}
        size //= 2
    if config.tokens_per_device > config.max_length:
        yield {"tokens_per_device": config.max_length}
    checkpointing = ("none", "full") if config.torch_compile else ("none", "selective", "full")
    for mode in checkpointing[checkpointing.index(config.activation_checkpointing) + 1 :]:
        yield {"activation_checkpointing": mode}
    if config.optim == "adamw_torch_fused":
        yield {"optim": "adamw_bfloat16"}
    if config.optim in ("adamw_torch_fused", "adamw_bfloat16") and find_spec("torchao"):
        yield {"optim": "adamw_torch_8bit"}
    if config.dtype != "bfloat16_weights" and config.optim != "muon" and not config.lora_rank:
        yield {"dtype": "bfloat16_weights"}
    if found[0].type == "cpu":
        if len(found) > 1:  # they share the machine's memory, and each is a program of its own
            yield {"num_processes": 1}
        return
    if config.optim != "muon":
        for number in range(len(found) + 1, len(hardware.devices(0)) + 1):
            yield {"num_processes": number}
    if len(found) > 1 and not config.cpu_offload and not config.lora_rank:
        yield {"cpu_offload": True}


def compare(plan: Plan, records: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    """What was planned beside what a run measured so far: memory and time, and the tokens of its updates.

    Memory is that of the largest process, without a GPU's context; the time is without loading and saving.
    """
    train = metrics.train_lines(records)
    if not train:
        return []
    last = train[-1]
    memory_bytes = plan.memory_bytes
    if plan.devices[0].type != "cpu":
        memory_bytes -= memory.CONTEXT_BYTES  # torch counts its own tensors only
    rows = [("memory of a process, bytes", memory_bytes, max(record["memory_bytes"] for record in train))]
    if plan.seconds is not None:
        evaluating = sum(record.get("eval_seconds", 0.0) for record in metrics.eval_lines(records))
        rows.append(("time, seconds", plan.seconds * last["step"] / plan.num_updates, last["seconds"] + evaluating))
    return [*rows, ("tokens", plan.tokens_per_update * last["step"], last["total_tokens"])]
