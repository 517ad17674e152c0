"""Counting what is really computed."""

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode


def matrix_flops(compute: Callable[[], object]) -> int:
    """The operations of all matrix products while `compute` is called, as torch counts them; attention is left out."""
    with FlopCounterMode(display=False) as counter:
        compute()
    return sum(flops for name, flops in counter.get_flop_counts()["Global"].items() if "mm" in str(name))
