"""How much memory one process of a run needs, by part, from the model's configuration alone.

Weights, gradients and states are counted; what a forward pass keeps for the backward pass is read off a pass on tensors
without data (torch's FakeTensorMode) through one and two of the model's blocks, so it holds for any causal model. For
gpt_bigcode in float32 on a CPU that is 17 + 2/heads times the width for each token and block.
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

# Measured: torch, transformers and their threads in an empty process on Linux.
PROGRAM_BYTES = 440 * 2**20
# What oneDNN keeps for products in bfloat16 of many shapes, within the limits that `launch` sets.
KERNEL_BYTES = 120_000_000
# Not measured: a CUDA context, the kernels in it, and the buffers of cuBLAS and NCCL.
CONTEXT_BYTES = 700 * 2**20


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that operations made and that are still alive."""

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
        place, size = id(storage), storage.nbytes()

        def drop(_):
            self.num_bytes -= size
            del self._storages[place]

        self.num_bytes += size
        self._storages[place] = weakref.ref(storage, drop)


@lru_cache(maxsize=64)
def activations(
    key: str, dtype: str, device_type: str, document_length: int, lora_rank: int = 0, checkpointing: str = "none"
) -> tuple[float, float, float, float]:
    """Bytes that a forward pass keeps for the backward pass: fixed, for each block, for each token, for both.

    Logits are not among them; copies of weights that autocast makes are. Not covered: blocks of several kinds.
    """
    # Without a CUDA build tensors without data cannot be on a GPU: counted as on a CPU, which is more.
    device_type = device_type if torch.backends.cuda.is_built() else "cpu"
    kept = {}
    for num_layers in (1, 2):
        weights_dtype = getattr(torch, RunConfig(dtype=dtype, lora_rank=lora_rank).weights_dtype)
        network = meta_network(key, weights_dtype, num_hidden_layers=num_layers)
        if lora_rank:
            lora.add(network, lora_rank, alpha=1.0)
        if checkpointing != "none":
            activation_checkpointing.checkpoint_blocks(network, checkpointing)
            for module in network.modules():  # only what is trained is checkpointed; without its parts: no dropout
                module.training = getattr(module, "gradient_checkpointing", False)
        with FakeTensorMode(allow_non_fake_inputs=True):
            network.to_empty(device=device_type)
            for num_documents in (1, 2):
                kept[num_layers, num_documents] = _kept_bytes(network, dtype, num_documents, document_length)
    both = kept[2, 2] - kept[2, 1] - kept[1, 2] + kept[1, 1]
    for_block = kept[2, 1] - kept[1, 1] - both
    for_document = kept[1, 2] - kept[1, 1] - both
    fixed = kept[1, 1] - for_block - for_document - both
    return fixed, for_block, for_document / document_length, both / document_length


def _kept_bytes(network: PreTrainedModel, dtype: str, num_documents: int, document_length: int) -> int:
    num_tokens, device = num_documents * document_length, network.device
    ids = torch.zeros(1, num_tokens, dtype=torch.long, device=device)  # (1, T)
    last = torch.zeros(1, dtype=torch.long, device=device)
    starts = list(range(0, num_tokens + 1, document_length))
    documents = attention.Documents(starts, torch.tensor(starts, dtype=torch.int32, device=device))
    with _LiveBytes(network) as live, torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
        output = network(ids, position_ids=ids, documents=documents, use_cache=False, logits_to_keep=last)
    num_bytes = live.num_bytes
    del output  # until here it holds what the backward pass needs
    return num_bytes


def _value_bytes(config: RunConfig) -> int:
    """Bytes of one of the model's weights, and of its gradient."""
    return 2 if config.weights_dtype == "bfloat16" else 4


def _frozen_bytes(config: RunConfig, shape: Shape) -> int:
    """Bytes of the weights that adapters leave as they are."""
    return _value_bytes(config) * shape.num_parameters if config.lora_rank else 0


def state_bytes(config: RunConfig, shape: Shape) -> dict[str, int]:
    """Bytes of weights, gradients and optimizer states of the whole model."""
    count, num_matrix, width = shape.num_parameters, shape.num_matrix_parameters, _value_bytes(config)
    if config.lora_rank:  # float32 matrices
        count, num_matrix, width = (config.lora_rank * shape.num_rank_parameters,) * 2 + (4,)
    if config.optim == "muon":  # one average for the matrices of the blocks, two for the rest
        moments = 8 * count - 4 * num_matrix
    else:
        # In 8 bits: torchao has a float32 scale for every 256 values.
        moments = round({"adamw_bfloat16": 4, "adamw_torch_8bit": 2 + 8 / 256}.get(config.optim, 8) * count)
    return {"weights": _frozen_bytes(config, shape) + width * count, "gradients": width * count, "optimizer": moments}


def disk_bytes(config: RunConfig, shape: Shape) -> dict[str, int]:
    """Bytes of one checkpoint, which holds what is trained and the optimizer's states, and of the tuned model."""
    whole = state_bytes(config, shape)
    trained = whole["weights"] - _frozen_bytes(config, shape)
    return {"checkpoint": trained + whole["optimizer"], "model": _value_bytes(config) * shape.num_parameters}


def parts(config: RunConfig, key: str, work: Workload, num_processes: int, device_type: str) -> dict[str, int]:
    """Bytes of one process by part; on a CPU `workspace` holds the program itself and the copy a checkpoint is made of.

    Their sum is the peak. On a CPU gradients do not take the place of activations: glibc cannot cut them to measure.
    On GPUs nothing here is measured.
    """
    model, on_cpu = shape_of(key), device_type == "cpu"
    whole = state_bytes(config, model)
    frozen = _frozen_bytes(config, model)
    # Adapters are whole on each process, what is frozen beside them is shared out.
    share = {name: -(-size // (1 if config.lora_rank else num_processes)) for name, size in whole.items()}
    share["weights"] -= frozen - -(-frozen // num_processes)
    tokens, value_bytes, checkpointing = work.num_block_tokens, _value_bytes(config), config.activation_checkpointing
    # Where products are in float32 nothing is autocast: activations are in the dtype of the weights.
    is_float32 = hardware.product_dtype(config.dtype, torch.device(device_type)) == torch.float32
    dtype = {"float32": "float32", "bfloat16": "bfloat16_weights"}[config.weights_dtype] if is_float32 else config.dtype
    measured = (key, dtype, device_type, work.document_length, config.lora_rank)
    fixed, for_block, for_token, for_both = activations(*measured, checkpointing)
    kept_bytes = fixed + for_token * tokens + model.num_layers * (for_block + for_both * tokens)
    if checkpointing != "none":  # one block at a time is computed again, and is whole then
        _, for_block, _, for_both = activations(*measured)
        kept_bytes += for_block + for_both * tokens
    kept_bytes = round(kept_bytes)
    logit_bytes = 4 if dtype == "float32" else 2
    workspace = PROGRAM_BYTES if on_cpu else CONTEXT_BYTES
    if not is_float32 and on_cpu:
        workspace += KERNEL_BYTES
    if is_float32 and dtype != "float32":  # the largest product in float32, the head's: what goes in, what comes out
        workspace += 4 * (work.num_block_trained * model.vocab_size + model.num_head_parameters)
    workspace += _gathered_bytes(model, config, work, num_processes, device_type)
    if work.num_blocks > 1 and num_processes == 1 and not frozen:
        # Gradients of the embeddings, from the head and from the tokens, before they are added to those of the
        # blocks before.
        workspace += 2 * value_bytes * model.num_head_parameters
    if on_cpu and _saves_while_training(config, work):
        workspace += disk_bytes(config, model)["checkpoint"] // (1 if config.lora_rank else num_processes)
    if not on_cpu and (config.dtype == "bfloat16_weights" or config.optim == "adamw_bfloat16") and not frozen:
        # The optimizer's update of the largest tensor, in float32 and five at a time.
        workspace += 5 * 4 * model.num_largest_parameters // num_processes
    if not on_cpu and config.dtype != "float32":
        # What the gradient of a layer's attention works with: the query's in float32, each document of which begins at
        # a multiple of 128, and those of keys and values for every head.
        workspace += model.width * (10 * tokens + 4 * 128 * -(-tokens // work.document_length))
    if config.cpu_offload:
        share = dict.fromkeys(share, 0)
    if not on_cpu and work.num_blocks == 1:
        kept_bytes -= min(kept_bytes, share["gradients"])  # whose places they take, one after the other
    logits = logit_bytes * work.num_block_trained * model.vocab_size
    if on_cpu and config.lora_rank:
        # Measured, 20 to 66 %: glibc cannot use all places of a block's activations for those of the next.
        workspace += round(0.4 * (kept_bytes + logits))
    return share | {"activations": kept_bytes, "logits": logits, "workspace": workspace}


def _gathered_bytes(model: Shape, config: RunConfig, work: Workload, num_processes: int, device_type: str) -> int:
    """What FSDP2 gathers from other processes: the weights outside the blocks, two blocks or all where they are kept,
    their gradients, and the buffers in which all of these travel."""
    if num_processes == 1:
        return 0
    block, outside = model.num_block_parameters, model.num_parameters - model.num_layers * model.num_block_parameters
    # Gathered and its buffer, the gradients from the head and from the tokens, the buffer of their sum. On a CPU gloo
    # works on copies of its own and glibc cannot always use freed places again: ten measured.
    num_values = (10 if device_type == "cpu" else 5) * outside + 5 * block
    if config.lora_rank:  # without gradients
        num_values = 2 * outside + 3 * block
    if not config.reshard_after_forward:
        num_values += (model.num_layers - 2) * block
        # Gradients are shared out after the last of several passes only.
        num_values += model.num_layers * block if work.num_blocks > 1 and not config.lora_rank else 0
    return _value_bytes(config) * num_values


def main_memory_bytes(config: RunConfig, key: str, work: Workload, num_processes: int) -> int:
    """Bytes of main memory of a run's GPU processes: their programs, what is offloaded, and a checkpoint's copy."""
    model = shape_of(key)
    copied = disk_bytes(config, model)["checkpoint"]
    return num_processes * PROGRAM_BYTES + copied + config.cpu_offload * sum(state_bytes(config, model).values())


def _saves_while_training(config: RunConfig, work: Workload) -> bool:
    """Whether a checkpoint is written while updates go on; the last one takes the place of gradients."""
    return work.num_updates is None or config.save_steps < work.num_updates
