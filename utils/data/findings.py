"""What a finding about pairs is: how many rows, what it means, some of them, and what a repair would change.

All text of rows goes through here: what is private in it is masked, and what is long is cut.
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
    """One row of a finding: `note` is the evidence, `beside` what it is compared with, `diff` what a repair does."""

    row: int
    note: str
    text: str
    beside: str = ""
    diff: str = ""


@dataclass(frozen=True)
class Finding:
    """What was found: how many rows, what that means, some of them, and the name of a repair where there is one.

    `rows` numbers all rows concerned from 0, as they were given; `counts` are further figures by their names. Without
    `is_checked` nobody has looked, and `meaning` says what is missing.
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
    """At most `MAX_EXAMPLES`, from the first to the last at even distances."""
    items = list(items)
    step = max(len(items) / MAX_EXAMPLES, 1)
    return [items[int(number * step)] for number in range(min(len(items), MAX_EXAMPLES))]


def _whole(row: dict[str, str]) -> str:
    """A row as text, what is private masked."""
    return "\n".join(f"[{name}]\n{pii.mask(row[name])}" for name in PAIR_FIELDS if row.get(name))


def cut(text: str) -> str:
    """The text as long as a page can take it, and without half characters, which no file can hold."""
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + " … (cut here)"


def shown(row: dict[str, str]) -> str:
    return cut(_whole(row))


def diff(before: dict[str, str], after: dict[str, str], name_before: str, name_after: str) -> str:
    """What changes between two rows line by line, masked; `after` is empty for a row that is left out."""
    if after:
        old, new = (_whole(row).split("\n") for row in (before, after))
        lines = unified_diff(old, new, name_before, name_after, n=1, lineterm="")
    else:
        lines = [f"--- {name_before}", f"+++ {name_after}", *(f"-{line}" for line in _whole(before).split("\n"))]
    return cut("\n".join(lines))
