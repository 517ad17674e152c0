"""The values of a JSON lines file or of one JSON array, one at a time, with their positions and syntax faults."""

import codecs
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from itertools import count
from pathlib import Path
from typing import Any

from utils import files
from utils.data.faults import Fault, short
from utils.errors import UserError

# A longer row is a file without line ends, or an attack; nothing in it would fit a model's context.
MAX_ROW_BYTES = 2**24
MAX_ARRAY_BYTES = 2**28  # of a JSON array, which is read whole
MAX_LISTED = 3  # repeated keys and constants of a row; the others are counted
# Characters of an element that are decoded at first, and then: short ones are not copied with all that follows.
LOOKS = (2**12, 2**18)
LONGEST_TOKEN = 16  # an incomplete one at the end of a text is an error at its start
SPACE = re.compile(r"[ \t\n\r]*")
BYTE_ORDER_MARK = "a byte-order mark; save the file as UTF-8 without one"
TOO_DEEP = "objects or lists nested thousands deep"


@dataclass(frozen=True)
class Value:
    """One JSON value and its text in the file; without `is_read`, `value` is meaningless."""

    place: Fault  # its position, with an empty reason
    text: bytes
    value: Any
    faults: list[Fault]  # of its syntax
    is_read: bool = True


@contextmanager
def opened(path: Path) -> Generator[BufferedReader | gzip.GzipFile]:
    """The content of a regular file, unpacked where its name ends in .gz.

    Raises `UserError` for a file that cannot be read, also for what reading it raises later.
    """
    try:
        with open(path.resolve(strict=True), "rb", opener=files.opener) as raw:
            yield gzip.GzipFile(fileobj=raw) if path.name.lower().endswith(".gz") else raw
    # Of pyarrow: each of its errors is also one of these.
    except (
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        LookupError,
        TypeError,
        RuntimeError,
        MemoryError,
    ) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, gzip.BadGzipFile):
            reason = "not a gzip archive, or other bytes follow the archive; compress the file again"
        raise UserError(f"{path} cannot be read: {reason[0].lower()}{reason[1:].rstrip('.')}.") from error


def lines(file: BufferedReader | gzip.GzipFile | BytesIO) -> Iterator[Value | Fault]:
    """One value per line; blank lines are skipped, and a fault affects only its own line.

    Only `\\n` ends a line: JSON may contain U+2028 unescaped. Longer lines are cut to `MAX_ROW_BYTES`.
    """
    decoder = _Decoder()
    for number in count(1):
        line = file.readline(MAX_ROW_BYTES + 1)
        if not line:
            return
        if number == 1 and line.startswith(codecs.BOM_UTF8):
            yield Fault(1, 1, BYTE_ORDER_MARK)
            line = line.removeprefix(codecs.BOM_UTF8)
        place = Fault(number, None, "")
        if len(line) > MAX_ROW_BYTES:
            num_bytes, rest = len(line), line
            while not rest.endswith(b"\n") and (rest := file.readline(MAX_ROW_BYTES)):
                num_bytes += len(rest)
            reason = f"a line of {num_bytes:,} bytes, at most {MAX_ROW_BYTES:,} are read; name a JSON array .json"
            yield Value(place, line[:MAX_ROW_BYTES], None, [Fault(number, None, reason)], is_read=False)
            continue
        line = line.removesuffix(b"\n")
        if not line.strip():
            continue
        try:
            text = line.decode("utf-8")
            value, problems = decoder.line(text, number)
        except UnicodeDecodeError as error:
            column = len(line[: error.start].decode("utf-8")) + 1
            yield Value(place, line, None, [Fault(number, column, _encoding_reason(error))], is_read=False)
        except _SyntaxFault as error:
            yield Value(place, line, None, [error.fault], is_read=False)
        else:
            yield Value(place, line, value, problems)


def elements(file: BufferedReader | gzip.GzipFile) -> Iterator[Value | Fault]:
    """The elements of one JSON array of at most `MAX_ARRAY_BYTES`, up to the first syntax error.

    Bytes that are not UTF-8 end what is read: they are reported, and no syntax error besides.
    """
    content = file.read(MAX_ARRAY_BYTES + 1)
    if len(content) > MAX_ARRAY_BYTES:
        reason = f"an array of more than {MAX_ARRAY_BYTES:,} bytes; write one object per line and name the file .jsonl"
        yield Fault(None, None, reason)
        return
    if content.startswith(codecs.BOM_UTF8):
        yield Fault(1, 1, BYTE_ORDER_MARK)
        content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text, is_whole = content.decode("utf-8"), True
    except UnicodeDecodeError as error:
        text, is_whole = content[: error.start].decode("utf-8"), False
        yield _fault(text, len(text), _encoding_reason(error))
    try:
        yield from _elements(text)
    except _SyntaxFault as error:
        if is_whole:
            yield error.fault


def _elements(text: str) -> Iterator[Value]:
    first = _next(text, 0)
    if first == len(text):
        return
    if text[first] != "[":
        raise _SyntaxFault(_fault(text, first, f"expected '[', the start of an array of objects{_wrapped(text)}"))
    decoder, start, number, line, line_start = _Decoder(), 0, 0, 1, 0
    end = _next(text, first + 1)
    end = end if text.startswith("]", end) else first
    while end == first or text.startswith(",", end):
        before, start, number = start, _next(text, end + 1), number + 1
        if num_lines := text.count("\n", before, start):
            line, line_start = line + num_lines, text.rfind("\n", before, start) + 1
        value, end, faults = decoder.element(text, start, line, start - line_start)
        yield Value(Fault(line, None, "", number), text[start:end].encode(), value, faults)
        end = _next(text, end)
    if not text.startswith("]", end):
        raise _SyntaxFault(_fault(text, end, "expected ',' or ']' after an element of the array"))
    end = _next(text, end + 1)
    if end < len(text):
        raise _SyntaxFault(_fault(text, end, "expected the end of the file after ']'"))


def _next(text: str, position: int) -> int:
    """The position of the next character that is not white space."""
    return SPACE.match(text, position).end()  # ty: ignore[missing-union-attribute]  # matches ""


def _fault(text: str, position: int, reason: str, line: int = 1, column: int = 0) -> Fault:
    """A fault at a position of a text that begins in this line, behind so many characters."""
    num_lines = text.count("\n", 0, position)
    return Fault(line + num_lines, position - text.rfind("\n", 0, position) + (0 if num_lines else column), reason)


class _SyntaxFault(Exception):
    def __init__(self, fault: Fault):
        self.fault = fault


class _Decoder:
    """A JSON decoder that also reports repeated keys and the constants that JSON does not have."""

    def __init__(self):
        self.reasons: list[str] = []
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_int=_number
        )

    def line(self, text: str, number: int) -> tuple[Any, list[Fault]]:
        """The one value of a line."""
        self.reasons = []
        try:
            return self.decoder.decode(text), self._faults(number)
        except json.JSONDecodeError as error:
            raise _SyntaxFault(Fault(number, error.pos + 1, _syntax_reason(error))) from error
        except RecursionError as error:
            raise _SyntaxFault(Fault(number, None, TOO_DEEP)) from error

    def element(self, text: str, start: int, line: int, column: int) -> tuple[Any, int, list[Fault]]:
        """The element at `start` and its end; at most `MAX_ROW_BYTES` characters are looked at."""
        for size in (*LOOKS, MAX_ROW_BYTES):
            self.reasons = []
            part = text[start : start + size]
            is_rest = start + size >= len(text)
            try:
                value, end = self.decoder.raw_decode(part)
                if is_rest or end < len(part):
                    return value, start + end, self._faults(line)
            except json.JSONDecodeError as error:
                is_inside = error.pos < len(part) - LONGEST_TOKEN and not error.msg.startswith("Unterminated")
                if is_rest or is_inside:
                    raise _SyntaxFault(_fault(part, error.pos, _syntax_reason(error), line, column)) from error
            except RecursionError as error:
                raise _SyntaxFault(_fault(part, 0, TOO_DEEP, line, column)) from error
        raise _SyntaxFault(_fault(part, 0, f"an element of more than {MAX_ROW_BYTES:,} bytes", line, column))

    def _faults(self, line: int) -> list[Fault]:
        more = len(self.reasons) - MAX_LISTED
        others = [f"and {more:,} more repeated keys or such constants"] if more > 0 else []
        return [Fault(line, None, reason) for reason in [*self.reasons[:MAX_LISTED], *others]]

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            self.reasons += [f"the key {short(key)} occurs {num:,} times" for key, num in counts.items() if num > 1]
        return value

    def _constant(self, name: str) -> float:
        self.reasons.append(f"{name}, which JSON does not have")
        return float(name.replace("Infinity", "inf"))


def _wrapped(text: str) -> str:
    """Advice for a text that is not an array."""
    inner = re.match(r'\s*\{.{0,4000}?"([^"\\]{1,60})"\s*:\s*\[\s*\{', text, re.DOTALL)
    return (
        f". The field {inner[1]!r} of this object may be it: save that array alone"
        if inner
        else ". For one object on each line name the file .jsonl"
    )


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < 100 else float(digits)  # Python refuses thousands of digits


def _encoding_reason(error: UnicodeDecodeError) -> str:
    return f"not UTF-8: byte 0x{error.object[error.start]:02X}, {error.reason}; save the file as UTF-8"


def _syntax_reason(error: json.JSONDecodeError) -> str:
    """The decoder's message in plain words."""
    if error.msg.startswith("Invalid control character"):
        return f"the control character U+{ord(error.doc[error.pos]):04X} unescaped in a text"
    if error.msg == "Extra data":
        return "expected the end of the line after one JSON value; put each object on a line of its own"
    if error.msg.startswith("Unterminated string"):
        return "a text without its closing quote: it seems to be cut off"
    reason = f"not JSON: {error.msg[0].lower()}{error.msg[1:]}".replace("expecting", "expected a", 1)
    return reason if error.doc[error.pos :].strip() else f"{reason}: it seems to be cut off"
