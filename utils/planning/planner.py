"""The plan of a run before it starts: memory, disk, updates, time and cost against what is available.

Compared with measurements on CPUs only, not on GPUs.
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
from utils.model import loading, packing_support
from utils.model.shape import config_key, config_of, shape_of
from utils.planning import memory, timing, workload
from utils.runs import metrics
from utils.tokens import prompts


@dataclass(frozen=True)
class Plan:
    """What a run needs, and what is available.

    `memory_bytes_per_process` has the parts weights, gradients, optimizer, activations, logits, and program and
    buffers: the program on a CPU, the CUDA context on a GPU, gathered weights, the copy for a checkpoint.
    `main_memory_bytes` is the main memory of all GPU processes. `cost` is in the currency of the price.
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
        """The peak memory of one process."""
        return sum(self.memory_bytes_per_process.values())

    @property
    def fits(self) -> bool:
        """Whether memory suffices; the disk is checked in `refusal`."""
        has_main_memory = self.main_memory_bytes <= self.free_main_memory_bytes
        return self.memory_bytes <= self.free_bytes_per_process and has_main_memory

    @property
    def save_seconds(self) -> int:
        """Time allowed for a checkpoint: 30 s, and its bytes at 100 MB/s, the speed of a slow disk."""
        return 30 + round(self.disk_bytes["checkpoints"] / 1e8)


def plan(config: RunConfig, data_dir: Path, price_per_hour: float | None = None, model_config=None) -> Plan:
    """The plan of a run on this machine; `price_per_hour` is for all devices together.

    `model_config` is that of a model that is not downloaded yet.

    Raises `UserError` for more processes than GPUs and as `check_settings` does. Not covered: several machines, and
    models whose blocks differ.
    """
    found, key = hardware.devices(config.num_processes), config_key(model_config or loading.load_config(config))
    check_settings(config, found)
    work, shape = _work(config, data_dir, key, len(found)), shape_of(key)
    disk = memory.disk_bytes(config, shape)
    decided = config.with_changes(num_processes=len(found))  # as in the config.json of a started run
    seconds, seconds_basis = timing.expected_seconds(decided, data_dir, shape, work, found[0].type)
    runs = Path(data_dir) / "runs"
    existing = next(folder for folder in [runs, *runs.absolute().parents] if folder.exists())
    # Besides the newest checkpoints, the best one and one being written.
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


def check_settings(config: RunConfig, found: tuple[Device, ...]) -> None:
    """Raise `UserError` for a setting that these devices or this model's tokenizer do not support."""
    loading.check_offload(config, found[0].type, len(found))
    if config.template == prompts.CHAT:
        try:
            prompts.chat_frame(loading.load_tokenizer(config.model_name_or_path, config.revision))
        except UserError as error:
            raise UserError(str(error), field="template") from error


def _work(config: RunConfig, data_dir: Path, key: str, num_processes: int) -> workload.Workload:
    """The workload; raises `UserError` for a model that cannot be trained, and for token rows of another model."""
    model_config = config_of(key)
    support = packing_support.training_support(model_config, config)
    workload.check_rows(config, data_dir, model_config.get_text_config().vocab_size)
    return workload.count(config, data_dir, num_processes, support.is_packed)


def _memory(config: RunConfig, key: str, found: tuple[Device, ...], work: workload.Workload) -> dict[str, Any]:
    kind, count = found[0].type, len(found)
    return dict(
        num_processes=count,
        devices=found,
        memory_bytes_per_process=memory.parts(config, key, work, count, kind),
        free_bytes_per_process=min(device.free_bytes for device in found),
        main_memory_bytes=0 if kind == "cpu" else memory.main_memory_bytes(config, key, count),
        free_main_memory_bytes=psutil.virtual_memory().available,
    )


def check(plan: Plan) -> None:
    """Raise `UserError` when the run does not fit, with what to change."""
    if refused := refusal(plan):
        raise UserError(refused)


def refusal(plan: Plan) -> str | None:
    """Why the run does not fit into memory or on the disk, and what to change; None when it fits."""
    if not plan.fits:
        needed, free = plan.memory_bytes, plan.free_bytes_per_process
        each = f"each of {plan.num_processes} processes" if plan.num_processes > 1 else "the one process"
        text = f"{each} needs {format_bytes(needed)} of memory; {plan.devices[0].name} has {format_bytes(free)} free. "
        if needed <= free:
            text = (
                f"the processes need {format_bytes(plan.main_memory_bytes)} of main memory; "
                f"{format_bytes(plan.free_main_memory_bytes)} are free. "
            )
        if change := smallest_change(plan):
            return f"{text}It would fit with {' and '.join(f'{k}={v}' for k, v in change.items())}."
        adapters = "" if plan.config.lora_rank else ", or train with LoRA (lora_rank)"
        return f"{text}No one or two settings make it fit: choose a smaller model or a larger machine{adapters}."
    needed = sum(plan.disk_bytes.values())
    if needed > plan.free_disk_bytes:
        return (
            f"checkpoints and model need {format_bytes(needed)} of disk; {format_bytes(plan.free_disk_bytes)} are "
            "free. Lower save_total_limit, or free some space."
        )
    return None


def smallest_change(plan: Plan) -> dict[str, Any] | None:
    """The one or two settings that make the run fit; None when it fits already or nothing helps.

    Tried in this order: changes without effect on results (smaller blocks, activation checkpointing), lower precision
    of optimizer and weights, more processes, offloading to main memory.
    """
    if plan.fits:
        return None
    changes = list(_changes(plan.config))
    for number in (1, 2):
        for chosen in combinations(changes, number):
            change = {name: value for setting in chosen for name, value in setting.items()}
            if len(change) < number:  # two values of one setting
                continue
            config = plan.config.with_changes(**change)
            found = hardware.devices(config.num_processes)
            work = _work(config, plan.data_dir, plan.model_key, len(found))
            if replace(plan, **_memory(config, plan.model_key, found, work)).fits:
                return change
    return None


def _changes(config: RunConfig):
    """Every single change that saves memory, in the order of `smallest_change`."""
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
        if len(found) > 1:  # they share main memory, and each has its own program
            yield {"num_processes": 1}
        return
    if config.optim != "muon":
        for number in range(len(found) + 1, len(hardware.devices(0)) + 1):
            yield {"num_processes": number}
    if len(found) > 1 and not config.cpu_offload and not config.lora_rank:
        yield {"cpu_offload": True}


def compare(plan: Plan, records: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    """Planned and measured memory of the largest process, time, and tokens, as (what, planned, measured).

    Memory without the CUDA context; time without loading and saving.
    """
    train = metrics.train_lines(records)
    if not train:
        return []
    last = train[-1]
    memory_bytes = plan.memory_bytes
    if plan.devices[0].type != "cpu":
        memory_bytes -= memory.CONTEXT_BYTES  # torch counts only its tensors
    rows = [("memory of a process, bytes", memory_bytes, max(record["memory_bytes"] for record in train))]
    if plan.seconds is not None:
        eval_seconds = sum(record.get("eval_seconds", 0.0) for record in metrics.eval_lines(records))
        rows.append(("time, seconds", plan.seconds * last["step"] / plan.num_updates, last["seconds"] + eval_seconds))
    return [*rows, ("tokens", plan.tokens_per_update * last["step"], last["total_tokens"])]
