"""Faults of a file of pairs: what is wrong, where, and a bounded report with advice."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from utils.errors import masked, number_of

MAX_KINDS, MAX_NAME = 20, 60
PASTED = re.compile(
    r"(\w+=)?[A-Za-z_][\w.-]{,39}", re.ASCII
)  # what a shell takes as a word; other names are not advised


class Advice(NamedTuple):
    """A change of the fields that are read: `map` as OURS=THEIRS, or `ignore` a field."""

    option: str
    value: str


@dataclass(frozen=True)
class Fault:
    """Why a row or a file cannot be used; positions count from 1, None where there is none.

    What `is_shared` concerns the names of fields: it usually affects every row, and is reported once.
    """

    line: int | None
    column: int | None  # in characters
    reason: str
    row: int | None = None  # in a file whose rows are not its lines
    is_shared: bool = False
    advice: Advice | None = None

    def __str__(self) -> str:
        place = "".join(f":{number}" for number in (self.line, self.column) if number)
        return f"{place}:{f' row {self.row}:' if self.row else ''} {self.reason}"


NOWHERE = Fault(None, None, "")


class Options(NamedTuple):
    """How the options for fields and faulty rows are written where a message is read."""

    map: str
    ignore: str
    skip_bad: str


NOTEBOOK = Options("MAP={!r}", "IGNORE={!r}", "SKIP_BAD=1")
COMMAND = Options("--map {!r}", "--ignore {!r}", "--skip-bad")


@dataclass
class Report:
    """The first `max_shown` faults of a file, those of field names once with the number of rows, and how many."""

    max_shown: int
    num_rows: int = 0
    num_faulty: int = 0  # rows
    num_faults: int = 0
    shown: list[Fault] = field(default_factory=list)
    shared: dict[str, tuple[Fault, int]] = field(default_factory=dict)  # by reason: the first, and how many

    def add(self, faults: Iterable[Fault], is_row: bool) -> None:
        """Add the faults of one row, or faults that belong to no row."""
        num_before, self.num_rows, counted = self.num_faults, self.num_rows + is_row, set()
        for fault in faults:
            self.num_faults += 1
            if fault.is_shared and (fault.reason in self.shared or len(self.shared) < MAX_KINDS):
                first, number = self.shared.get(fault.reason, (fault, 0))
                self.shared[fault.reason] = (first, number + (fault.reason not in counted))
                counted.add(fault.reason)
            elif not fault.is_shared and len(self.shown) < self.max_shown:
                self.shown.append(fault)
        self.num_faulty += is_row and self.num_faults > num_before

    def lines(self, name: str) -> list[str]:
        """The report of a file `name`, a line for each fault or kind of fault."""
        shared = [
            f"{name}{first}"
            if number == 1
            else f"{name}: {number:,} of {self.num_rows:,} rows, the first in {position(first)}: {first.reason}"
            for first, number in self.shared.values()
        ]
        num_left = self.num_faults - len(self.shown) - sum(number for _, number in self.shared.values())
        more = [f"… and {number_of(num_left, 'more fault')}"] if num_left else []
        return [*shared, *(f"{name}{fault}" for fault in self.shown), *more]

    def advice(self, options: Options) -> str:
        """How to map and ignore fields, in the words of `options`; empty where no name is to be changed."""
        advice = list(dict.fromkeys(first.advice for first, _ in self.shared.values() if first.advice))
        safe = [item for item in advice if PASTED.fullmatch(item.value)]
        values = {option: [item.value for item in safe if item.option == option] for option in ("map", "ignore")}
        parts = [getattr(options, option).format(" ".join(chosen)) for option, chosen in values.items() if chosen]
        return f"If that is right: {' and '.join(parts)}." if parts else ""


def position(fault: Fault) -> str:
    return f"line {fault.line}" if fault.row is None else f"row {fault.row}"


def short(name: object) -> str:
    """A name from a file, quoted and cut."""
    text = masked(str(name))
    return repr(text if len(text) <= MAX_NAME else text[:MAX_NAME] + "…")
