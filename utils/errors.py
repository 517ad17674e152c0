"""Errors that the user can act on."""

from collections.abc import Iterable
from difflib import get_close_matches

MAX_LISTED = 10  # allowed names beside the nearest one


class UserError(Exception):
    """An error that the user can fix: the message has the value, what is allowed, and what to do.

    Notebooks show it without a traceback; commands print it and exit with 2. `field` names the setting concerned.
    """

    def __init__(self, message: str, field: str = ""):
        super().__init__(visible(message))
        self.field = field

    def _render_traceback_(self) -> list[str]:
        # IPython's hook for an exception that renders itself.
        return [f"{type(self).__name__}: {self}"]


def visible(text: str) -> str:
    """The text with characters that a terminal would obey or hide, and lone surrogates, as escapes such as `\\x1b`."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


def unknown(what: str, got: str, allowed: Iterable[str], field: str = "") -> UserError:
    """The error for a name that is not in `allowed`, with the nearest valid name, or else all of them."""
    allowed = list(allowed)
    near = get_close_matches(str(got), allowed, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = f" Allowed: {', '.join(map(repr, allowed)) or 'none'}."
    return UserError(f"unknown {what} {got!r}.{hint}{'' if near and len(allowed) > MAX_LISTED else names}", field)


def number_of(count: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
