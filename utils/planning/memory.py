"""Memory estimate of one process of a run, by part, from the model's configuration alone.

Weights, gradients and optimizer states are counted. Activations are measured on a forward pass with fake tensors
(torch's FakeTensorMode) through one and two blocks, for any causal model. For gpt_bigcode in float32 on a CPU they are
17 + 2/heads times the width per token and block.
"""

import weakref
from functools import lru_cache

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import PreTrainedModel

from utils import hardware
from utils.config import RunConfig
from utils.model import activation_checkpointing, attention, lora
from utils.model.shape import Shape, meta_network, shape_of
from utils.planning.workload import Workload

# Measured: an empty process with torch and transformers on Linux.
PROGRAM_BYTES = 440 * 2**20
# Cached oneDNN primitives for bfloat16 products, within the limits that `launch` sets.
KERNEL_BYTES = 120_000_000
# Not measured: CUDA context, kernels, and buffers of cuBLAS and NCCL.
CONTEXT_BYTES = 700 * 2**20


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the live tensors that operations have made."""

    def __init__(self, known: nn.Module):
        super().__init__()
        self.num_bytes = 0
        self._storages = {id(p.untyped_storage()): None for p in known.parameters()}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and id(tensor.untyped_storage()) not in self._storages:
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()

        def drop(_):
            self.num_bytes -= size
            del self._storages[key]

        self.num_bytes += size
        self._storages[key] = weakref.ref(storage, drop)


@lru_cache(maxsize=64)
def activations(
    key: str,
    dtype: str,
    device_type: str,
    document_length: int,
    lora_rank: int = 0,
    checkpointing: str = "none",
    is_packed: bool = True,
) -> tuple[float, float, float, float]:
    """Bytes kept for the backward pass: fixed, per block, per token, per block and token.

    With the copies of weights that autocast makes, without logits. Not covered: blocks of several kinds.
    """
    try:
        return _measured_activations(key, dtype, device_type, document_length, lora_rank, checkpointing, is_packed)
    except Exception:  # an architecture that fake tensors cannot run: 34 values of 16 bits (Korthikanti et al. 2022)
        value_bytes = 4 if dtype == "float32" else 2
        return 0.0, 0.0, 0.0, 17.0 * value_bytes * shape_of(key).width


def _measured_activations(key, dtype, device_type, document_length, lora_rank, checkpointing, is_packed):
    # Without a CUDA build fake tensors cannot be on a GPU: counted as on a CPU, which is more.
    device_type = device_type if torch.backends.cuda.is_built() else "cpu"
    kept = {}
    for num_layers in (1, 2):
        weights_dtype = getattr(torch, RunConfig(dtype=dtype, lora_rank=lora_rank).weights_dtype)
        implementation = attention.register() if is_packed else "eager"
        network = meta_network(key, weights_dtype, num_layers, implementation)
        if lora_rank:
            lora.add(network, lora_rank, alpha=1.0)
        if checkpointing != "none":
            activation_checkpointing.checkpoint_blocks(network, checkpointing)
            for module in network.modules():  # checkpointing needs training mode, but without dropout
                module.training = getattr(module, "gradient_checkpointing", False)
        with FakeTensorMode(allow_non_fake_inputs=True):
            network.to_empty(device=device_type)
            for num_documents in (1, 2):
                kept[num_layers, num_documents] = _kept_bytes(network, dtype, num_documents, document_length, is_packed)
    both = kept[2, 2] - kept[2, 1] - kept[1, 2] + kept[1, 1]
    for_block = kept[2, 1] - kept[1, 1] - both
    for_document = kept[1, 2] - kept[1, 1] - both
    fixed = kept[1, 1] - for_block - for_document - both
    return fixed, for_block, for_document / document_length, both / document_length


def _kept_bytes(network: PreTrainedModel, dtype: str, num_documents: int, document_length: int, is_packed: bool) -> int:
    num_tokens, device = num_documents * document_length, network.device
    ids = torch.zeros(1, num_tokens, dtype=torch.long, device=device)  # (1, T)
    last = torch.zeros(1, dtype=torch.long, device=device)
    starts = list(range(0, num_tokens + 1, document_length))
    documents = attention.Documents(starts, torch.tensor(starts, dtype=torch.int32, device=device))
    with _LiveBytes(network) as live, torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
        if is_packed:
            output = network(ids, position_ids=ids, documents=documents, use_cache=False, logits_to_keep=last)
        else:  # documents as rows of a batch: their number counts as in a block
            output = network(ids.view(num_documents, document_length), use_cache=False)
    num_bytes = live.num_bytes
    del output  # holds the activations until here
    return num_bytes


def _value_bytes(config: RunConfig) -> int:
    """Bytes per weight and per gradient value."""
    return 2 if config.weights_dtype == "bfloat16" else 4


def _frozen_bytes(config: RunConfig, shape: Shape) -> int:
    """Bytes of the weights that LoRA freezes."""
    return _value_bytes(config) * shape.num_parameters if config.lora_rank else 0


def state_bytes(config: RunConfig, shape: Shape) -> dict[str, int]:
    """Bytes of weights, gradients and optimizer states of the whole model."""
    count, num_matrix, width = shape.num_parameters, shape.num_matrix_parameters, _value_bytes(config)
    if config.lora_rank:  # float32 matrices
        count, num_matrix, width = (config.lora_rank * shape.num_rank_parameters,) * 2 + (4,)
    if config.optim == "muon":  # one moment for the matrices of the blocks, two for the rest
        moments = 8 * count - 4 * num_matrix
    else:
        # 8 bits: torchao stores a float32 scale per 256 values.
        moments = round({"adamw_bfloat16": 4, "adamw_torch_8bit": 2 + 8 / 256}.get(config.optim, 8) * count)
    return {"weights": _frozen_bytes(config, shape) + width * count, "gradients": width * count, "optimizer": moments}


def disk_bytes(config: RunConfig, shape: Shape) -> dict[str, int]:
    """Bytes of one checkpoint (trained weights and optimizer states) and of the tuned model."""
    whole = state_bytes(config, shape)
    trained = whole["weights"] - _frozen_bytes(config, shape)
    return {"checkpoint": trained + whole["optimizer"], "model": _value_bytes(config) * shape.num_parameters}


def parts(config: RunConfig, key: str, work: Workload, num_processes: int, device_type: str) -> dict[str, int]:
    """Bytes of one process by part; their sum is the peak. On GPUs nothing here is measured.

    On a CPU the part `program and buffers` includes the copy for a checkpoint, and gradients do not reuse the memory of
    activations: glibc cannot split freed blocks to fit.
    """
    model, on_cpu = shape_of(key), device_type == "cpu"
    whole = state_bytes(config, model)
    frozen = _frozen_bytes(config, model)
    # Adapters are whole on each process, frozen weights are sharded.
    share = {name: -(-size // (1 if config.lora_rank else num_processes)) for name, size in whole.items()}
    share["weights"] -= frozen - -(-frozen // num_processes)
    tokens, value_bytes, checkpointing = work.num_block_tokens, _value_bytes(config), config.activation_checkpointing
    # With float32 products there is no autocast: activations have the dtype of the weights.
    is_float32 = hardware.product_dtype(config.dtype, torch.device(device_type)) == torch.float32
    dtype = {"float32": "float32", "bfloat16": "bfloat16_weights"}[config.weights_dtype] if is_float32 else config.dtype
    measured = (key, dtype, device_type, work.document_length, config.lora_rank)
    fixed, for_block, for_token, for_both = activations(*measured, checkpointing, work.is_packed)
    kept_bytes = fixed + for_token * tokens + model.num_layers * (for_block + for_both * tokens)
    if checkpointing != "none":  # one block at a time is recomputed
        _, for_block, _, for_both = activations(*measured, "none", work.is_packed)
        kept_bytes += for_block + for_both * tokens
    kept_bytes = round(kept_bytes)
    logit_bytes = 4 if dtype == "float32" else 2
    workspace = PROGRAM_BYTES if on_cpu else CONTEXT_BYTES
    if not is_float32 and on_cpu:
        workspace += KERNEL_BYTES
    if is_float32 and dtype != "float32":  # input and output of the largest float32 product, the head's
        workspace += 4 * (work.num_block_targets * model.vocab_size + model.num_head_parameters)
    workspace += _gathered_bytes(model, config, work, num_processes, device_type)
    if work.num_blocks > 1 and num_processes == 1 and not frozen:
        # Gradients of the tied embeddings, from head and tokens, before they are accumulated.
        workspace += 2 * value_bytes * model.num_head_parameters
    if on_cpu and _saves_while_training(config, work):
        workspace += disk_bytes(config, model)["checkpoint"] // (1 if config.lora_rank else num_processes)
    if not on_cpu and (config.dtype == "bfloat16_weights" or config.optim == "adamw_bfloat16") and not frozen:
        # Five float32 tensors in the update of the largest parameter.
        workspace += 5 * 4 * model.num_largest_parameters // num_processes
    if not on_cpu and config.dtype != "float32":
        # Workspace of the attention backward pass: the query's gradient in float32, documents padded to multiples of
        # 128, and the gradients of keys and values for every head.
        workspace += model.width * (10 * tokens + 4 * 128 * -(-tokens // work.document_length))
    if config.cpu_offload:
        share = dict.fromkeys(share, 0)
    if not on_cpu and work.num_blocks == 1:
        kept_bytes -= min(kept_bytes, share["gradients"])  # gradients reuse their memory
    logits = logit_bytes * work.num_block_targets * model.vocab_size
    if on_cpu and config.lora_rank:
        # Measured, 20 to 66 %: glibc cannot reuse all of a block's activation memory for the next block.
        workspace += round(0.4 * (kept_bytes + logits))
    return share | {"activations": kept_bytes, "logits": logits, "program and buffers": workspace}


def _gathered_bytes(model: Shape, config: RunConfig, work: Workload, num_processes: int, device_type: str) -> int:
    """Bytes that FSDP2 gathers: weights outside the blocks, two blocks (all if not resharded), gradients, buffers."""
    if num_processes == 1:
        return 0
    block, outside = model.num_block_parameters, model.num_parameters - model.num_layers * model.num_block_parameters
    # Weights and buffer, gradients from head and tokens, buffer of their sum. On a CPU gloo makes further copies: ten
    # measured.
    num_values = (10 if device_type == "cpu" else 5) * outside + 5 * block
    if config.lora_rank:  # without gradients
        num_values = 2 * outside + 3 * block
    if not config.reshard_after_forward:
        num_values += (model.num_layers - 2) * block
        # Gradients are reduced only after the last of several passes.
        num_values += model.num_layers * block if work.num_blocks > 1 and not config.lora_rank else 0
    return _value_bytes(config) * num_values


def main_memory_bytes(config: RunConfig, key: str, num_processes: int) -> int:
    """Main memory of a run's GPU processes: programs, offloaded tensors, and the copy for a checkpoint."""
    model = shape_of(key)
    copied = disk_bytes(config, model)["checkpoint"]
    return num_processes * PROGRAM_BYTES + copied + config.cpu_offload * sum(state_bytes(config, model).values())


def _saves_while_training(config: RunConfig, work: Workload) -> bool:
    """Whether a checkpoint is written during training; the last one reuses the memory of gradients."""
    is_saved = config.early_stopping_patience > 0 or work.num_updates is None
    return is_saved or config.save_steps < work.num_updates
