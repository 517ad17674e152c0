"""The error a person can act on."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something a person can put right: the message says what was got, what is allowed and what to do.

    Notebooks show the message alone, without a traceback; command lines print it and exit with 2. `field` names the
    setting it is about, where it is about one.
    """

    def __init__(self, message: str, field: str = ""):
        super().__init__(message)
        self.field = field

    def _render_traceback_(self) -> list[str]:
        # IPython's hook for an exception that renders itself.
        return [f"{type(self).__name__}: {self}"]


def unknown(what: str, got: str, allowed: Iterable[str], field: str = "") -> UserError:
    """The error for a name that is not among `allowed`, with the nearest valid one."""
    allowed = list(allowed)
    near = get_close_matches(str(got), allowed, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UserError(f"unknown {what} {got!r}.{hint} Allowed: {', '.join(map(repr, allowed))}.", field)
