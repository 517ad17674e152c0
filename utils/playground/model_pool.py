"""A pool of loaded models: loaded on first use if they fit, shared, and kept until freed."""

import gc
import re
from pathlib import Path
from threading import Lock

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from utils import hardware
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import loading, lora
from utils.training import checkpoint

ROOM = 1.1  # the weights, and 10 % for activations and the key/value cache


def choices(run_dir: Path) -> dict[str, str]:
    """The models of a run, label -> name for `LoadedModels.get`: base, tuned, and checkpoints by step.

    A running run removes old checkpoints, so names can be out of date.
    """
    config = RunConfig.load(run_dir / "config.json")
    revision = "" if config.revision == RunConfig.revision else f"@{config.revision}"
    tuned = {"tuned": str(run_dir / "model")} if (run_dir / "model").is_dir() else {}
    steps = {f"step {int(folder.name.removeprefix('step-'))}": str(folder) for folder in checkpoint.found(run_dir)}
    return {"base": config.model_name_or_path + revision} | tuned | steps


class LoadedModels:
    """Models by name, thread-safe; a model can still be used by its callers after it was freed.

    A name is `embedded`, a hub id (`owner/name` or `owner/name@revision`), a folder with a saved model, or the folder
    of a run's checkpoint. All are loaded by `loading.load`: in eval mode, bfloat16 on a GPU, else float32.
    """

    def __init__(self):
        self._loading = Lock()
        self._models: dict[str, tuple[PreTrainedModel, PreTrainedTokenizerFast]] = {}

    def get(self, name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
        """The model and its tokenizer, loaded if necessary.

        Raises `UserError` when the model does not exist or is gated, a checkpoint is damaged, or it does not fit beside
        the loaded ones. Not covered: a base model that changed since the checkpoint was made.
        """
        loaded = self._models.get(name)
        if loaded is None:
            with self._loading:  # transformers cannot load two models at once
                loaded = self._models.get(name) or self._load(name)
                self._models[name] = loaded
        return loaded

    def free(self, name: str) -> None:
        """Drop this model; its memory is freed when its last user drops it too."""
        self._models.pop(name, None)
        gc.collect()
        torch.cuda.empty_cache()

    def sizes(self) -> dict[str, int]:
        """The bytes of every loaded model, weights and buffers."""
        return {name: network.get_memory_footprint() for name, (network, _) in self._models.copy().items()}

    def _load(self, name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
        folder = Path(name)
        is_checkpoint = folder.parent.name == checkpoint.FOLDER and folder.name.startswith("step-")
        config = RunConfig.load(folder.parents[1] / "config.json") if is_checkpoint else _named(name)
        self._check_fit(name, config)
        if is_checkpoint and (fault := checkpoint.defect(folder)):
            raise UserError(f"{folder} cannot be loaded ({fault}): it is damaged, or no longer kept. Choose another.")
        network, tokenizer = loading.load(config.model_name_or_path, config.revision)
        if is_checkpoint:
            if config.lora_rank:
                lora.add(network, config.lora_rank, config.lora_alpha)
            trained = {f"model.{name}": p.data for name, p in network.named_parameters() if p.requires_grad}
            # Rank -1: this process keeps its random state.
            checkpoint.load(folder, trained, {}, rank=-1)
            if config.lora_rank:
                lora.merge(network)
        return network, tokenizer

    def _check_fit(self, name: str, config: RunConfig) -> None:
        """Raise `UserError` when the model does not fit on the device, before its weights are read."""
        torch.cuda.empty_cache()  # cached memory would count as used
        device = hardware.devices(1)[0]
        try:
            count = loading.load_shape(config).num_parameters
        except ValueError as error:
            raise UserError(f"{name} is not a causal language model: {str(error).splitlines()[0]}") from error
        needed_bytes = ROOM * count * (4 if device.type == "cpu" else 2)
        if needed_bytes > device.free_bytes:
            loaded = ", ".join(f"{other}: {hardware.format_bytes(size)}" for other, size in self.sizes().items())
            raise UserError(
                f"{name} needs about {hardware.format_bytes(needed_bytes)}, "
                f"{hardware.format_bytes(device.free_bytes)} are free: "
                f"{f'free a model ({loaded})' if loaded else 'choose a smaller model'}, or use a larger machine."
            )


def _named(name: str) -> RunConfig:
    """Settings with this model; the revision of a hub id follows `@`."""
    hub = re.fullmatch(r"([\w.-]+/[\w.-]+)@([\w.-]+)", name)
    return RunConfig(model_name_or_path=hub[1], revision=hub[2]) if hub else RunConfig(model_name_or_path=name)
