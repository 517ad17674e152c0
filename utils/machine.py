"""What the machine gives a run: its matrix rate, and memory."""

import contextlib
import resource
import sys
import time

import torch
from torch import nn

from utils.config import RunConfig
from utils.errors import UserError

# Large enough to reach the rate, small enough to take a tenth of a second.
SIZES = {"cpu": 1024, "cuda": 8192}
NUM_PRODUCTS, NUM_TRIALS = 4, 3


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


def product_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """What a run with this `RunConfig.dtype` multiplies in: a CPU without instructions for bfloat16 takes float32.

    It would be many times slower there in bfloat16.
    """
    has_bfloat16 = device.type != "cpu" or any(
        value is True for name, value in torch.cpu.get_capabilities().items() if name.endswith("bf16")
    )
    is_float32 = dtype == "float32" or (dtype == "bfloat16" and not has_bfloat16)
    return torch.float32 if is_float32 else torch.bfloat16


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
