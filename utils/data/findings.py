"""Findings about pairs: number of rows, meaning, examples, and what a repair would change.

All text of rows passes through here: private data is masked, long text is cut.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import unified_diff

from utils.data import pii
from utils.data.reader import PAIR_FIELDS

MAX_EXAMPLES, MAX_SHOWN_CHARACTERS = 20, 1_500


@dataclass(frozen=True)
class Example:
    """One row of a finding: `note` is the evidence, `beside` a text to compare, `diff` what a repair changes."""

    row: int
    note: str
    text: str
    beside: str = ""
    diff: str = ""


@dataclass(frozen=True)
class Finding:
    """One kind of problem: the number of rows, what it means, examples, and the name of its repair if there is one.

    `rows` are the numbers of all rows concerned, from 0; `counts` are further figures by name. Without `is_checked`,
    `meaning` says what is missing for the check.
    """

    name: str
    title: str
    meaning: str
    count: int
    examples: list[Example] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    repair: str = ""
    rows: list[int] = field(default_factory=list)
    is_checked: bool = True


def some(items: Iterable) -> list:
    """At most `MAX_EXAMPLES` items, evenly spread."""
    items = list(items)
    step = max(len(items) / MAX_EXAMPLES, 1)
    return [items[int(number * step)] for number in range(min(len(items), MAX_EXAMPLES))]


def _whole(row: dict[str, str]) -> str:
    """A row as text with private data masked."""
    return "\n".join(f"[{name}]\n{pii.mask(row[name])}" for name in PAIR_FIELDS if row.get(name))


def cut(text: str) -> str:
    """The text cut to `MAX_SHOWN_CHARACTERS`, without lone surrogates, which no file can hold."""
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + " … (cut here)"


def shown(row: dict[str, str]) -> str:
    return cut(_whole(row))


def diff(before: dict[str, str], after: dict[str, str], name_before: str, name_after: str) -> str:
    """The unified diff of two rows, masked."""
    old, new = (_whole(row).split("\n") for row in (before, after))
    return cut("\n".join(unified_diff(old, new, name_before, name_after, n=1, lineterm="")))
