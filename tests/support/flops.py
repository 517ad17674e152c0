"""Counting what is really computed."""

from collections import Counter
from collections.abc import Callable

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


def matrix_flops(compute: Callable[[], object]) -> int:
    """The operations of all matrix products while `compute` is called, as torch counts them; attention is left out."""
    with FlopCounterMode(display=False) as counter:
        compute()
    return sum(flops for name, flops in counter.get_flop_counts()["Global"].items() if "mm" in str(name))


class Operations(TorchDispatchMode):
    """Counts the operations that run, by name."""

    def __init__(self):
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.counts[operation.name().partition(".")[0]] += 1
        return operation(*args, **(kwargs or {}))
