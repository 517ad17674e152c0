"""Out-of-memory errors that say what to change."""

import contextlib
from collections.abc import Sequence

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from utils.config import RunConfig
from utils.errors import UserError
from utils.hardware import format_bytes
from utils.training.loss import is_packed
from utils.training.optim import Muon


@contextlib.contextmanager
def out_of_memory_explained(network: nn.Module, optimizer: torch.optim.Optimizer | Muon, config: RunConfig):
    """Turn an out-of-memory error into a `UserError` with the memory held and the settings to change."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is a subclass; the CPU has none
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        parameters = list(network.parameters())
        states = [value for state in optimizer.state.values() for value in state.values()]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        held: dict[str, Sequence[torch.Tensor]] = {
            "weights": parameters,
            "gradients": gradients,
            "optimizer states": states,
        }
        sizes = ", ".join(f"{name} {format_bytes(_num_bytes(tensors))}" for name, tensors in held.items())
        lower = (
            f"tokens_per_device (now {config.tokens_per_device}) or max_length" if is_packed(network) else "max_length"
        )
        raise UserError(
            f"out of memory. This process holds {sizes}; the rest are activations. Lower {lower}, choose "
            "more activation_checkpointing, or use more processes."
        ) from error


def _num_bytes(tensors: Sequence[torch.Tensor]) -> int:
    local = [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]
    return sum(tensor.numel() * tensor.element_size() for tensor in local)
