"""Waiting, but not for ever."""

import time
from collections.abc import Callable


def wait_until(condition: Callable, what: str = "it", seconds: float = 120, poll_seconds: float = 0.01):
    """The first true value of `condition`; `AssertionError` naming `what` when there is none in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(poll_seconds)
    return value
