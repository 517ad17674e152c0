"""Errors that the user can act on, and what no message may hold: credentials, and other libraries' own notes."""

import logging
import os
import re
import reprlib
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

# Credentials in a URL, after a parameter of such a name or in a header, and tokens of the hub.
SECRETS = (
    (re.compile(r"(\w:/+)[^/\s?#'\"<>]*@"), r"\1***@"),
    (
        re.compile(
            r"(?i)([?&;](?:[\w.-]{0,40}(?:token|key|secret|signature|credential|passw|auth)[\w.-]{0,40}|sig)=)[^&\s'\"<>#]+"
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)(\bauthorization['\"]?\s{0,3}[:=]\s{0,3}['\"]?(?:bearer|basic)\s{1,3})[^\s'\"<>]+"), r"\1***"),
    (re.compile(r"\bhf_[A-Za-z0-9]{16,}"), "hf_***"),
)
# What torchao and torch log while torchao is loaded is for their developers. Here, because every entry point loads
# this module first.
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class _Short(reprlib.Repr):
    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(masked(x), level)  # before it is cut: a part of a credential is not recognized


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def masked(text: str) -> str:
    """`text` with credentials replaced by `***`. Not covered: passwords without a URL or a known name."""
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


def mask_logs(*libraries: str) -> None:
    """Mask credentials in what these libraries log with their own handlers."""
    for name in libraries:
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(_mask_record)


def _mask_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = masked(record.getMessage()), None
    return True


def short(value: Any) -> str:
    """The `repr` of a value, of bounded length and depth."""
    return _SHORT.repr(value)


MAX_LISTED = 10  # allowed names beside the nearest one


class UserError(Exception):
    """An error that the user can fix: the message has the value, what is allowed, and what to do.

    Credentials in it are masked. Notebooks show it without a traceback; commands print it and exit with 2. `field` is
    the name of the setting.
    """

    def __init__(self, message: str, field: str = ""):
        super().__init__(visible(masked(message)))
        self.field = field

    def _render_traceback_(self) -> list[str]:
        # IPython's hook for an exception that renders itself.
        return [f"{type(self).__name__}: {self}"]


def visible(text: str) -> str:
    """The text with characters that a terminal would obey or hide, and lone surrogates, as escapes such as `\\x1b`."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


def encodable(text: str) -> str:
    """`text` with half surrogates, which no page, figure or file can hold, as escapes, so that names stay distinct."""
    return text.encode("utf-8", "backslashreplace").decode()


def unknown(what: str, got: str, allowed: Iterable[str], field: str = "") -> UserError:
    """The error for a name that is not in `allowed`, with the nearest valid name, or else all of them."""
    allowed = list(allowed)
    near = get_close_matches(str(got)[:200], allowed, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = f" Allowed: {', '.join(map(repr, allowed)) or 'none'}."
    return UserError(f"unknown {what} {short(got)}.{hint}{'' if near and len(allowed) > MAX_LISTED else names}", field)


def number_of(count: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def run_command(main: Callable[[], int]) -> NoReturn:
    """Exit with what `main` returns, without a traceback where the reader of a pipe left, and 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # ty: ignore[missing-union-attribute]
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes again at the exit
        code = 141  # as a shell reports SIGPIPE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        code = 130
    sys.exit(code)
