"""The values of a JSON lines file or of one JSON array, one at a time, with their positions and syntax faults."""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from gzip import GzipFile
from io import BufferedReader
from itertools import count, islice
from typing import Any

from utils.data.faults import Fault, short

# A longer row is a file without line ends, or an attack; nothing in it would fit a model's context.
MAX_ROW_BYTES = 2**24
MAX_ARRAY_BYTES = 2**28  # of a JSON array, which is read whole
MAX_SYNTAX_FAULTS = 3  # of each kind that are listed for a row; the others are counted
# Characters of an element that are decoded at first, so that short elements are not copied with all that follows.
FIRST_LOOK = 4096
LONGEST_TOKEN = 16  # an incomplete one at the end of a text is an error at its start
SPACE = re.compile(r"[ \t\n\r]*")
# A JSON string, which is skipped, or a constant that Python accepts and JSON does not have.
CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)')
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


def lines(file: BufferedReader | GzipFile) -> Iterator[Value | Fault]:
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


def elements(file: BufferedReader | GzipFile) -> Iterator[Value | Fault]:
    """The elements of one JSON array of at most `MAX_ARRAY_BYTES`, up to the first syntax error."""
    content = file.read(MAX_ARRAY_BYTES + 1)
    if len(content) > MAX_ARRAY_BYTES:
        reason = f"an array of more than {MAX_ARRAY_BYTES:,} bytes; write one object per line and name the file .jsonl"
        yield Fault(None, None, reason)
        return
    if content.startswith(codecs.BOM_UTF8):
        yield Fault(1, 1, BYTE_ORDER_MARK)
    array, decoder = _Array(content.removeprefix(codecs.BOM_UTF8)), _Decoder()
    try:
        if not array.skip_space():
            return
        array.expect("[", f"'[', the start of an array of objects{_wrapped(array.text)}")
        is_open = array.skip_space() != "]"
        number = 0
        while is_open:
            number += 1
            place = Fault(array.line, None, "", number)
            text, value, faults = decoder.element(array)
            yield Value(place, text.encode(), value, faults)
            is_open = array.skip_space() == ","
            if is_open:
                array.expect(",", "")
                array.skip_space()
        array.expect("]", "',' or ']' after an element of the array")
        if array.skip_space():
            raise array.fault(array.position, "expected the end of the file after ']'")
    except _SyntaxFault as error:
        yield error.fault


class _SyntaxFault(Exception):
    def __init__(self, fault: Fault):
        self.fault = fault


class _Decoder:
    """A JSON decoder that also reports repeated keys and the constants that JSON does not have."""

    def __init__(self):
        self.repeated: list[str] = []
        self.num_constants = 0
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_int=_number
        )

    def line(self, text: str, number: int) -> tuple[Any, list[Fault]]:
        """The one value of a line."""
        try:
            return self.decoder.decode(text), self._faults(text, number)
        except json.JSONDecodeError as error:
            raise _SyntaxFault(Fault(number, error.pos + 1, _syntax_reason(error, text[error.pos :]))) from error
        except RecursionError as error:
            raise _SyntaxFault(Fault(number, None, TOO_DEEP)) from error
        finally:
            self.clear()

    def element(self, array: "_Array") -> tuple[str, Any, list[Fault]]:
        """The element at the array's position, which moves behind it; at most `MAX_ROW_BYTES` are looked at."""
        start, line, size = array.position, array.line, min(FIRST_LOOK, MAX_ROW_BYTES)
        try:
            while True:
                part = array.text[start : start + size]
                is_rest = start + size >= len(array.text)
                try:
                    value, end = self.decoder.raw_decode(part)
                    if is_rest or end < len(part):
                        break
                except json.JSONDecodeError as error:
                    is_inside = error.pos < len(part) - LONGEST_TOKEN and not error.msg.startswith("Unterminated")
                    if is_rest or is_inside:
                        reason = _syntax_reason(error, part[error.pos :])
                        raise array.fault(start + error.pos, reason, _is_cut_off(error)) from error
                if size >= MAX_ROW_BYTES:
                    raise array.fault(start, f"an element of more than {MAX_ROW_BYTES:,} bytes")
                self.clear()
                size = min(16 * size, MAX_ROW_BYTES)
            array.advance(start + end)
            return part[:end], value, self._faults(part[:end], line)
        except RecursionError as error:
            raise array.fault(start, TOO_DEEP) from error
        finally:
            self.clear()

    def clear(self) -> None:
        self.repeated, self.num_constants = [], 0

    def _faults(self, text: str, line: int) -> list[Fault]:
        faults = [Fault(line, None, reason) for reason in self.repeated[:MAX_SYNTAX_FAULTS]]
        end, line_start, number = 0, 0, line
        constants = (match for match in CONSTANT.finditer(text) if match[1]) if self.num_constants else ()
        for match in islice(constants, MAX_SYNTAX_FAULTS):
            number += text.count("\n", end, match.start())
            line_start = max(line_start, text.rfind("\n", end, match.start()) + 1)
            end = match.start()
            faults.append(Fault(number, end - line_start + 1, f"{match[1]}, which JSON does not have"))
        for num, what in ((len(self.repeated), "repeated keys"), (self.num_constants, "such constants")):
            if num > MAX_SYNTAX_FAULTS:
                faults.append(Fault(line, None, f"and {num - MAX_SYNTAX_FAULTS:,} more {what}"))
        return faults

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            self.repeated += [f"the key {short(key)} occurs {num:,} times" for key, num in counts.items() if num > 1]
        return value

    def _constant(self, name: str) -> float:
        self.num_constants += 1
        return float(name.replace("Infinity", "inf"))


class _Array:
    """The text of a file, and a position in it with its line."""

    def __init__(self, content: bytes):
        self.position, self.line, self.line_start, self.encoding_reason = 0, 1, 0, ""
        try:
            self.text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            self.text, self.encoding_reason = content[: error.start].decode("utf-8"), _encoding_reason(error)

    def advance(self, position: int) -> None:
        lines = self.text.count("\n", self.position, position)
        if lines:
            self.line, self.line_start = self.line + lines, self.text.rfind("\n", self.position, position) + 1
        self.position = position

    def skip_space(self) -> str:
        """The next character that is not white space, or an empty string at the end."""
        self.advance(SPACE.match(self.text, self.position).end())  # ty: ignore[missing-union-attribute]  # matches ""
        return self.text[self.position : self.position + 1]

    def expect(self, character: str, what: str) -> None:
        if self.text[self.position : self.position + 1] != character:
            raise self.fault(self.position, f"expected {what}", self.position == len(self.text))
        self.advance(self.position + 1)

    def fault(self, position: int, reason: str, is_cut_off: bool = False) -> _SyntaxFault:
        """The error at a position; where the text ends early, that of the bytes that are not UTF-8."""
        if self.encoding_reason and is_cut_off:
            position, reason = len(self.text), self.encoding_reason
        self.advance(position)
        return _SyntaxFault(Fault(self.line, position - self.line_start + 1, reason))


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


def _syntax_reason(error: json.JSONDecodeError, rest: str) -> str:
    """The decoder's message in plain words; `rest` is the text from the error's position on."""
    if error.msg.startswith("Invalid control character"):
        return f"the control character U+{ord(rest[0]):04X} unescaped in a text"
    if error.msg == "Extra data":
        return "expected the end of the line after one JSON value; put each object on a line of its own"
    if error.msg.startswith("Unterminated string"):
        return "a text without its closing quote: it seems to be cut off"
    reason = f"not JSON: {error.msg[0].lower()}{error.msg[1:]}".replace("expecting", "expected a", 1)
    return f"{reason}: it seems to be cut off" if _is_cut_off(error) else reason


def _is_cut_off(error: json.JSONDecodeError) -> bool:
    return error.msg.startswith("Unterminated string") or not error.doc[error.pos :].strip()
