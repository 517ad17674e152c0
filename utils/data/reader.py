"""Rows of a file, read strictly and one at a time: every fault with its position, nothing guessed or repaired.

The same checks apply to JSON lines, a JSON array (both also as `.gz`), Parquet, and data sets of the hub at a commit. A
row is an object with the text fields `instruction` and `response`, and optionally `input`.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from utils.config import PAIR_SUFFIXES
from utils.data.faults import NOWHERE, Advice, Fault, short
from utils.data.json_stream import MAX_ROW_BYTES, Value, elements, lines, opened
from utils.data.pii import is_blank
from utils.errors import UserError, masked, unknown

PAIR_FIELDS = ("instruction", "input", "response")
# Tabs and line ends are text, form feeds occur in Python source; a model should learn no other control character.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f]")
SURROGATE = re.compile("[\ud800-\udfff]")
MAX_UNKNOWN = 5  # unknown fields of a row that are listed; the others are counted
# What other data sets call the fields of a pair.
KNOWN_NAMES = {
    "instruction": ("prompt", "question", "query", "problem", "task", "instructions", "human", "user"),
    "response": (
        *("output", "completion", "answer", "response", "solution", "target", "chosen", "assistant", "reply", "code"),
        "canonical_solution",
    ),
}
# Parquet: a row group that is larger unpacked is refused, since one page of a column may be all of it.
MAX_GROUP_BYTES = 2**29
BATCH_ROWS = 256
NO_ROWS = Fault(1, None, "an empty file: it has no rows")


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
            if theirs in PAIR_FIELDS and ours not in PAIR_FIELDS:
                raise UserError(f"{part!r}: write it the other way round, {theirs}={ours} (our name first).")
            if ours not in PAIR_FIELDS:
                raise unknown("field name", ours, PAIR_FIELDS)
            if not (is_pair and theirs):
                raise UserError(f"{part!r} is not a mapping. Write OURS=THEIRS, such as response=output.")
            names.append((ours, theirs))
        fields = cls(tuple(names), tuple(ignored.replace(",", " ").split()))
        used = list(fields.theirs().values())
        if len(dict(names)) < len(names) or len({*used}) < len(used):
            raise UserError(f"MAP {mapping!r}: give every field of the pairs one name of its own.")
        if clash := [name for name in fields.ignored if name in used]:
            raise UserError(f"IGNORE holds {clash[0]!r}, which is a field of the pairs. Leave it out of IGNORE.")
        return fields

    def theirs(self) -> dict[str, str]:
        return {name: name for name in PAIR_FIELDS} | dict(self.names)


@dataclass(frozen=True)
class Row:
    """One row: its text in the file, its fields by our names, and its faults; `pair` is None when it has any."""

    place: Fault  # its position, with an empty reason
    text: bytes
    pair: dict[str, str] | None
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class Unreadable:
    """A value of a file that could not be read as text, and why."""

    reason: str


def read(path: Path, fields: Fields = Fields()) -> Iterator[Row | Fault]:
    """Every row of a file in order, and the faults that belong to no row, such as a byte-order mark.

    Memory holds one row at a time, of a JSON array the whole text. A syntax error ends an array; in JSON lines it
    affects only its line. Raises `UserError` when the file cannot be read, and at once for anything but a regular file
    and links to one. Not covered: duplicates.
    """
    name = path.name.lower()
    if not name.endswith(PAIR_SUFFIXES):
        raise UserError(f"{path}: expected a file ending in {', '.join(PAIR_SUFFIXES)}.")
    with opened(path) as file:
        if name.endswith(".parquet"):
            yield from _parquet_rows(file, fields)
            return
        encoding = json.detect_encoding(file.peek(4)[:4])
        if not encoding.startswith("utf-8"):
            family = encoding[:6].upper()  # without the order of its bytes
            yield Fault(1, 1, f"not UTF-8 but {encoding.upper()}; convert it: iconv -f {family} -t UTF-8 FILE > NEW")
            return
        items = lines(file) if name.removesuffix(".gz").endswith(".jsonl") else elements(file)
        for item in chain([next(items, NO_ROWS)], items):
            yield _row(item, fields) if isinstance(item, Value) else item


def hub_rows(name: str, commit: str, fields: Fields = Fields()) -> Iterator[Row | Fault]:
    """The rows of a hub data set's `train` split at a commit, streamed; raises `UserError` when it cannot be read."""
    try:
        from datasets import load_dataset

        # As an address: of a name, `datasets` would prefer a local folder.
        data = load_dataset(f"hf://datasets/{name}", revision=commit, split="train", streaming=True)
        for number, value in enumerate(data, start=1):
            yield _row(_value(number, value), fields)
    except Exception as error:  # of the network, the hub or a format
        raise UserError(f"{name}@{commit} cannot be read: {type(error).__name__}: {error}") from error


def _parquet_rows(file, fields: Fields) -> Iterator[Row | Fault]:
    """The rows of a Parquet file: of the columns of pairs only, with the names of the others."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    data, wanted = ParquetFile(file, buffer_size=2**20), set(fields.theirs().values())
    schema = data.schema_arrow
    if len(set(schema.names)) < len(schema.names):
        raise ValueError(f"it has two columns of one name, of {', '.join(map(short, schema.names[:20]))}")
    kinds = {c.name: c.type.value_type if pyarrow.types.is_dictionary(c.type) else c.type for c in schema}
    are_text = (pyarrow.string(), pyarrow.large_string(), pyarrow.string_view(), pyarrow.null())
    columns = [name for name, kind in kinds.items() if name in wanted and kind in are_text]
    others: dict[str, Any] = {name: Unreadable(f"must be text, got a column of {kind}") for name, kind in kinds.items()}
    for name, kind in kinds.items():
        if pyarrow.types.is_list(kind) and pyarrow.types.is_struct(kind.value_type):  # as `faults` knows turns
            others[name] = [dict.fromkeys(item.name for item in kind.value_type)]
    number = 0
    for group in range(data.num_row_groups):
        # Of all columns: `.column()` of a damaged file ends the whole process.
        num_bytes = max(data.metadata.row_group(group).total_byte_size, 1)
        if num_bytes > MAX_GROUP_BYTES:
            raise ValueError(
                f"a row group has {num_bytes:,} bytes, at most {MAX_GROUP_BYTES:,} are read; write the "
                "file again with smaller row groups"
            )
        # One value can have all bytes of the column, and every row can be this value.
        size = min(MAX_GROUP_BYTES // (4 * num_bytes), BATCH_ROWS) or 1
        for batch in data.iter_batches(size, [group], columns=columns, use_threads=False):
            for row in range(batch.num_rows):
                number += 1
                texts = {name: _text(column[row]) for name, column in zip(columns, batch.columns, strict=True)}
                yield _row(_value(number, {name: texts.get(name, others[name]) for name in kinds}), fields)
    if not number:
        yield NO_ROWS


def _text(scalar) -> str | None | Unreadable:
    """The text of one cell of a Parquet file."""
    scalar = scalar.value if hasattr(scalar, "dictionary") else scalar
    if not scalar.is_valid:
        return None
    content = scalar.as_buffer()
    if content.size > MAX_ROW_BYTES:
        return Unreadable(f"has {content.size:,} bytes, at most {MAX_ROW_BYTES:,} are read")
    try:
        return content.to_pybytes().decode()
    except UnicodeDecodeError as error:
        return Unreadable(f"is not UTF-8: byte 0x{error.object[error.start]:02X}")


def _value(number: int, value: dict[str, Any]) -> Value:
    """A row that is not text in its file."""
    return Value(Fault(None, None, "", number), json.dumps(value, default=repr).encode(), value, [])


def _row(item: Value, fields: Fields) -> Row:
    """The row of a JSON value, with its faults."""
    found = list(item.faults)
    if item.is_read:
        found += faults(item.value, fields, item.place)
    if found:
        return Row(item.place, item.text, None, found)
    theirs = fields.theirs()
    return Row(item.place, item.text, {name: item.value.get(theirs[name]) or "" for name in PAIR_FIELDS})


def faults(value: Any, fields: Fields = Fields(), place: Fault = NOWHERE) -> Iterator[Fault]:
    """Why a value is not a pair; nothing when it is."""
    if not isinstance(value, dict):
        yield replace(place, reason=f"expected an object with the fields of a pair, got {_shown(value)}")
        return
    theirs = fields.theirs()
    known = {*theirs.values(), *fields.ignored}
    extra = [name for name in value if name not in known]
    missing = {ours: name for ours, name in theirs.items() if ours != "input" and name not in value}
    if missing and (reason := _nested_reason(value, extra)):
        yield replace(place, reason=reason, is_shared=True)
        return
    for name in theirs.values():
        if name in value and not (name == theirs["input"] and value[name] is None):
            for reason in _text_reasons(name, value[name], name != theirs["input"]):
                yield replace(place, reason=reason)
    for ours, name in missing.items():
        guess = next((name for name in extra if name.lower() in KNOWN_NAMES[ours] and isinstance(value[name], str)), "")
        extra = [name for name in extra if name != guess]
        only = ", ".join(short(name) for name in islice(value, MAX_UNKNOWN)) or "an empty object"
        reason = f"no field {name!r}" + (f"; {guess!r} seems to be it" if guess else f", only {only}")
        yield replace(place, reason=reason, is_shared=True, advice=Advice("map", f"{ours}={guess}") if guess else None)
    for name in extra[:MAX_UNKNOWN]:
        yield replace(place, reason=f"an unknown field {short(name)}", is_shared=True, advice=Advice("ignore", name))
    if len(extra) > MAX_UNKNOWN:
        yield replace(place, reason=f"and {len(extra) - MAX_UNKNOWN:,} more unknown fields", is_shared=True)


def _nested_reason(value: dict[str, Any], names: Iterable[str]) -> str:
    """Why an object holds no pair but conversations or rows; empty where it does not."""
    for name in names:
        first = value[name][0] if isinstance(value[name], list) and value[name] else None
        if isinstance(first, dict) and {"role", "from"} & first.keys() and {"content", "value"} & first.keys():
            return (
                f"a conversation: {short(name)} is a list of turns. Write a row with 'instruction' and 'response' for "
                "every question and its answer"
            )
        if isinstance(first, dict):
            return f"{short(name)} is an array of objects. If these are the pairs, save that array alone"
    return ""


def _text_reasons(name: str, text: Any, is_needed: bool) -> Iterator[str]:
    if isinstance(text, Unreadable):
        yield f"{name!r} {text.reason}"
        return
    if not isinstance(text, str):
        yield f"{name!r} must be text, got {_shown(text)}"
        return
    if is_needed and is_blank(text):
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
    text = masked(json.dumps(value, default=lambda value: type(value).__name__))
    return text if len(text) <= 40 else text[:40] + "…"
