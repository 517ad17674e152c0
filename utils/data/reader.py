"""Rows of a file, read strictly and one at a time: every fault with its position, nothing guessed or repaired.

The same checks apply to JSON lines, a JSON array (both also as `.gz`), Parquet, and data sets of the hub at a commit. A
row is an object with the text fields `instruction` and `response`, and optionally `input`.
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from utils.data.json_stream import Fault, Value, elements, lines
from utils.errors import UserError, unknown

PAIR_FIELDS = ("instruction", "input", "response")
SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")
# Tabs and line ends are text, form feeds occur in Python source; a model should learn no other control character.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f]")
SURROGATE = re.compile("[\ud800-\udfff]")
UTF16_REMEDY = "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"


@dataclass(frozen=True)
class Fields:
    """The names of a pair's fields in a file, and the fields that are ignored."""

    names: tuple[tuple[str, str], ...] = ()  # (ours, theirs)
    ignored: tuple[str, ...] = ()

    @classmethod
    def parse(cls, mapping: str = "", ignored: str = "") -> "Fields":
        """Parse `response=output instruction=prompt` and `id tags`; raises `UserError` for anything else."""
        names = []
        for part in mapping.replace(",", " ").split():
            ours, is_pair, theirs = part.partition("=")
            if ours not in PAIR_FIELDS:
                raise unknown("field of a pair", ours, PAIR_FIELDS)
            if not (is_pair and theirs):
                raise UserError(f"{part!r} is not a mapping. Write OURS=THEIRS, such as response=output.")
            names.append((ours, theirs))
        return cls(tuple(names), tuple(ignored.replace(",", " ").split()))

    def theirs(self) -> dict[str, str]:
        return {name: name for name in PAIR_FIELDS} | dict(self.names)


@dataclass(frozen=True)
class Row:
    """One row: its text in the file, its fields by our names, and its faults; `pair` is None when it has any."""

    place: Fault  # its position, with an empty reason
    text: bytes
    pair: dict[str, str] | None
    faults: list[Fault] = field(default_factory=list)


def read(path: Path, fields: Fields = Fields()) -> Iterator[Row | Fault]:
    """Every row of a file in order, and the faults that belong to no row, such as a byte-order mark.

    Memory holds one row at a time, of a JSON array the whole text. A syntax error ends an array; in JSON lines it
    affects only its line. Raises `UserError` when the file cannot be read. Not covered: duplicates.
    """
    name = path.name.lower()
    if not name.endswith(SUFFIXES):
        raise UserError(f"{path}: expected a file ending in {', '.join(SUFFIXES)}.")
    try:
        if name.endswith(".parquet"):
            yield from _parquet_rows(path, fields)
            return
        with gzip.open(path) if name.endswith(".gz") else open(path, "rb") as file:
            encoding = json.detect_encoding(file.peek(4)[:4])
            if not encoding.startswith("utf-8"):
                yield Fault(1, 1, f"not UTF-8 but {encoding.upper()}; {UTF16_REMEDY}")
                return
            is_empty = True
            for item in (lines if ".jsonl" in name else elements)(file):
                is_empty = False
                yield _row(item, fields) if isinstance(item, Value) else item
            if is_empty:
                yield Fault(1, None, "an empty file: it has no rows")
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path} cannot be read: {reason[0].lower()}{reason[1:].rstrip('.')}.") from error


def hub_rows(name: str, commit: str, fields: Fields = Fields()) -> Iterator[Row | Fault]:
    """The rows of a hub data set's `train` split at a commit, streamed; raises `UserError` when it cannot be read."""
    try:
        from datasets import load_dataset

        yield from _values(load_dataset(name, revision=commit, split="train", streaming=True), fields)
    except Exception as error:  # of the network, the hub or a format
        raise UserError(f"{name}@{commit} cannot be read: {type(error).__name__}: {error}") from error


def _parquet_rows(path: Path, fields: Fields) -> Iterator[Row]:
    import pyarrow
    from datasets import load_dataset

    try:
        data = load_dataset("parquet", data_files=str(path.resolve(strict=True)), split="train", streaming=True)
        yield from _values(data, fields)
    except pyarrow.ArrowException as error:
        raise UserError(f"{path} cannot be read: {error}.") from error


def _values(data, fields: Fields) -> Iterator[Row]:
    for number, value in enumerate(data, start=1):
        text = json.dumps(value, default=repr).encode()
        yield _row(Value(Fault(None, None, "", number), text, value, []), fields)


def _row(item: Value, fields: Fields) -> Row:
    """The row of a JSON value, with its faults."""
    faults = list(item.faults)
    if item.is_read:
        faults += [replace(item.place, reason=reason) for reason in reasons(item.value, fields)]
    if faults:
        return Row(item.place, item.text, None, faults)
    theirs = fields.theirs()
    return Row(item.place, item.text, {name: item.value.get(theirs[name], "") for name in PAIR_FIELDS})


def reasons(value: Any, fields: Fields = Fields()) -> Iterator[str]:
    """Why a value is not a pair; nothing when it is."""
    if not isinstance(value, dict):
        yield f"expected an object with the fields of a pair, got {_shown(value)}"
        return
    theirs = fields.theirs()
    extra = [name for name in value if name not in theirs.values() and name not in fields.ignored]
    for ours, name in theirs.items():
        if name in value:
            yield from _text_reasons(name, value[name], ours != "input")
        elif ours != "input":
            near = f"; if one of them is meant, map it: {ours}={extra[0]}" if extra else ""
            yield f"no field {name!r}, only {', '.join(map(repr, value)) or 'an empty object'}{near}"
    for name in extra:
        yield f"an unknown field {name!r}; map it to a field of a pair, or ignore it"


def _text_reasons(name: str, text: Any, is_needed: bool) -> Iterator[str]:
    if not isinstance(text, str):
        yield f"{name!r} must be text, got {_shown(text)}"
        return
    if is_needed and not text.strip():
        yield f"{name!r} is {'blank' if text else 'empty'}"
    if control := CONTROL.search(text):
        yield f"{name!r} holds the control character U+{ord(control[0]):04X} at character {control.start() + 1}"
    if surrogate := SURROGATE.search(text):
        at = surrogate.start() + 1
        yield f"{name!r} holds a lone surrogate, U+{ord(surrogate[0]):04X}, at character {at}"


def _shown(value: Any) -> str:
    """A value of the wrong type, in JSON terms."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value, default=lambda value: type(value).__name__)
    return text if len(text) <= 40 else text[:40] + "…"
