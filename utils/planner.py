"""What a run needs in memory, disk and updates, and what there is, before it starts."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from utils.config import RunConfig
from utils.errors import UserError

GIB = 2**30


@dataclass(frozen=True)
class Device:
    """What one process computes on, and the memory that is free for it now."""

    name: str
    free_bytes: int


@dataclass(frozen=True)
class Plan:
    """Bytes a run needs, in parts, beside what there is; weights, gradients and states as `dtype` and `optim` say.

    Not covered: activations, which `tokens_per_device` and `gradient_checkpointing` decide.
    """

    num_parameters: int
    num_processes: int
    devices: tuple[Device, ...]
    memory_bytes_per_process: dict[str, int]
    free_bytes_per_process: int
    disk_bytes: dict[str, int]
    free_disk_bytes: int

    @property
    def save_seconds(self) -> int:
        """How long a checkpoint may take: half a minute, and its bytes at 100 MB/s, as a slow disk writes them."""
        return 30 + round(self.disk_bytes["checkpoints"] / 1e8)


def devices(num_processes: int = 0) -> tuple[Device, ...]:
    """One device a process: this machine's GPUs, or its CPU shared by `num_processes` processes (0: two)."""
    import torch

    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        if num_processes > count:
            raise UserError(f"num_processes is {num_processes}, but this machine has {count} GPUs: at most one each.")
        found = [Device(torch.cuda.get_device_name(i), torch.cuda.mem_get_info(i)[0]) for i in range(count)]
        return tuple(found[: num_processes or count])
    count = num_processes or 2
    return (Device("CPU", psutil.virtual_memory().available // count),) * count


def num_parameters(config: RunConfig, data_dir: Path) -> int:
    """The parameters of the run's model, counted from its configuration without loading a weight."""
    import torch
    from transformers import AutoModelForCausalLM

    from utils import model

    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(model.load_config(config, data_dir))
    return sum(parameter.numel() for parameter in network.parameters())


def plan(config: RunConfig, data_dir: Path) -> Plan:
    """What the run needs beside what this machine has; raises `UserError` for more processes than GPUs."""
    found = devices(config.num_processes)
    count = num_parameters(config, data_dir)
    share = -(-count // len(found))  # FSDP2 gives every process its part of each
    width = 2 if config.dtype == "bfloat16_weights" else 4
    moments = 2 if config.optim == "adamw_torch_8bit" else 8
    runs = Path(data_dir) / "runs"
    existing = next(folder for folder in [runs, *runs.absolute().parents] if folder.exists())
    return Plan(
        num_parameters=count,
        num_processes=len(found),
        devices=found,
        memory_bytes_per_process={"weights": width * share, "gradients": width * share, "optimizer": moments * share},
        free_bytes_per_process=min(device.free_bytes for device in found),
        # A checkpoint holds weights and both moments; beside the newest the best is kept, and one is being written.
        disk_bytes={"checkpoints": (width + moments) * count * (config.save_total_limit + 2), "model": width * count},
        free_disk_bytes=shutil.disk_usage(existing).free,
    )


def check(plan: Plan) -> None:
    """Raise `UserError` when the run does not fit, saying what is needed, what there is and what to change."""
    needed = sum(plan.memory_bytes_per_process.values())
    if needed > plan.free_bytes_per_process:
        raise UserError(
            f"each of {plan.num_processes} processes needs {needed / GIB:,.1f} GiB for weights, gradients and "
            f"optimizer states; {plan.devices[0].name} has {plan.free_bytes_per_process / GIB:,.1f} GiB free for it. "
            "Choose a smaller model, or more GPUs."
        )
    needed = sum(plan.disk_bytes.values())
    if needed > plan.free_disk_bytes:
        raise UserError(
            f"checkpoints and model need {needed / GIB:,.1f} GiB of disk; {plan.free_disk_bytes / GIB:,.1f} GiB are "
            "free. Lower save_total_limit, or free some space."
        )
