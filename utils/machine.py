"""What the machine gives a run: its matrix rate, and memory."""

import contextlib
import os
import resource
import sys
import time

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from utils.config import RunConfig
from utils.errors import UserError

# Large enough to reach the rate, small enough to take a tenth of a second.
SIZES = {"cpu": 1024, "cuda": 8192}
NUM_PRODUCTS, NUM_TRIALS = 4, 3
# What keeps torch or oneDNN from instructions for bfloat16 that a CPU has.
CAPPED = {
    "ATEN_CPU_CAPABILITY": ("default", "avx2"),
    "ONEDNN_MAX_CPU_ISA": (
        "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI",
    ),
}  # fmt: skip


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """The best rate at which this process multiplies square matrices of that dtype, in operations per second."""
    size = SIZES[device.type]
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(1 + NUM_TRIALS):  # the first is the warm-up
        _synchronize(device)
        start = time.perf_counter()
        for _ in range(NUM_PRODUCTS):
            left @ right  # noqa: B018 (only its time is wanted)
        _synchronize(device)
        seconds.append(time.perf_counter() - start)
    return NUM_PRODUCTS * 2 * size**3 / min(seconds[1:])


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`tensor` on `device`; to a GPU from pinned memory, so that nobody waits for what it has still to compute."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether this device has instructions for products in bfloat16: a CPU without is many times slower in it.

    Neither has one whose libraries the environment caps, `ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2`.
    """
    if device.type != "cpu":
        return True
    is_capped = any(os.environ.get(name) in values for name, values in CAPPED.items())
    capabilities = torch.cpu.get_capabilities()
    return not is_capped and any(value is True for name, value in capabilities.items() if name.endswith("bf16"))


def product_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """What a run with this `RunConfig.dtype` multiplies in: float32 where the device has no products in bfloat16."""
    return torch.float32 if dtype == "float32" or not multiplies_bfloat16(device) else torch.bfloat16


class Float32Products(TorchDispatchMode):
    """Inside it, matrix products and attention of bfloat16 tensors on a CPU are computed in float32, then rounded.

    Forward and backward, where `backward` is called inside too; all that is kept stays in bfloat16. Blocks are not
    compiled inside it. Not covered: convolutions, and products of vectors.
    """

    # How many of an operation's results are rounded to bfloat16; the others are float32 in any case.
    _NUM_ROUNDED = {
        torch.ops.aten.mm.default: 1,
        torch.ops.aten.addmm.default: 1,
        torch.ops.aten.bmm.default: 1,
        torch.ops.aten.baddbmm.default: 1,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default: 1,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default: 3,
    }

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        num_rounded, kwargs = self._NUM_ROUNDED.get(operation), kwargs or {}
        if num_rounded is None or not any(map(_is_low, tree_leaves((args, kwargs)))):
            return operation(*args, **kwargs)
        args, kwargs = tree_map(lambda value: value.float() if _is_low(value) else value, (args, kwargs))
        results = operation(*args, **kwargs)
        if isinstance(results, torch.Tensor):
            return results.bfloat16()
        return (*(result.bfloat16() for result in results[:num_rounded]), *results[num_rounded:])


def float32_products(dtype: str, device: torch.device) -> contextlib.AbstractContextManager:
    """`Float32Products` for what is kept in bfloat16 on a CPU without instructions for it, else no mode."""
    is_needed = dtype == "bfloat16" and not multiplies_bfloat16(device)
    return Float32Products() if is_needed else contextlib.nullcontext()


def _is_low(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16 and value.device.type == "cpu"


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def flops_per_token(network: nn.Module) -> tuple[int, int]:
    """The operations that training needs for each token, and besides for each trained token, where the head is applied.

    Six for each weight of a matrix: two forward, four backward (Kaplan et al. 2020), of which a frozen one needs two.
    Not counted: attention scores, and what is recomputed.
    """

    def count(parameter: nn.Parameter) -> int:
        return (6 if parameter.requires_grad else 4) * parameter.numel()

    head = network.get_output_embeddings().weight
    embeddings = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)} | {id(head)}
    return sum(count(p) for p in network.parameters() if p.ndim >= 2 and id(p) not in embeddings), count(head)


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory this process has held on its device so far; on a CPU, its resident set."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB on Linux


@contextlib.contextmanager
def out_of_memory_explained(network: nn.Module, optimizer: torch.optim.Optimizer, config: RunConfig):
    """Turn running out of memory into a `UserError` that says what was held and which setting to change."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; a CPU's has no class of its own
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        parameters = list(network.parameters())
        states = [value for state in optimizer.state.values() for value in state.values()]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        held = {"weights": parameters, "gradients": gradients, "optimizer states": states}
        sizes = ", ".join(f"{name} {_num_bytes(tensors) / 2**30:,.2f} GiB" for name, tensors in held.items())
        raise UserError(
            f"out of memory. This process holds {sizes}; the rest are activations. Lower tokens_per_device (now "
            f"{config.tokens_per_device}) or max_length, choose more activation_checkpointing, or use more processes."
        ) from error


def _num_bytes(tensors: list[torch.Tensor]) -> int:
    """The bytes of this process's shards."""
    local = [tensor.to_local() if hasattr(tensor, "to_local") else tensor for tensor in tensors]
    return sum(tensor.numel() * tensor.element_size() for tensor in local)
