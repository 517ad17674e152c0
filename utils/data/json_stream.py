"""The values of a file of JSON lines or of one JSON array, one at a time, with their places and faults of syntax."""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from gzip import GzipFile
from io import BufferedReader
from itertools import count
from typing import Any

# A longer row is a file without line ends, or an attack; nothing in it would fit a model's context.
MAX_ROW_BYTES = 2**24
WINDOW_CHARACTERS = 2**16
SPACE = re.compile(r"[ \t\n\r]*")
# A JSON string, passed over, or a constant that Python reads and JSON does not have.
CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)')
BYTE_ORDER_MARK = "a byte-order mark; save the file as UTF-8 without one"


@dataclass(frozen=True)
class Fault:
    """Why a row, or a file, cannot be used: where (each from 1, None where there is none), what, and the remedy."""

    line: int | None
    column: int | None  # in characters
    reason: str
    row: int | None = None  # in a file whose rows are not its lines

    def __str__(self) -> str:
        place = "".join(f":{number}" for number in (self.line, self.column) if number)
        return f"{place}:{f' row {self.row}:' if self.row else ''} {self.reason}"


@dataclass(frozen=True)
class Value:
    """One JSON value as it stands in its file; `value` is None, and means nothing, where it could not be read."""

    place: Fault  # with an empty reason
    text: bytes
    value: Any
    faults: list[Fault]  # of its syntax
    is_read: bool = True


def lines(file: BufferedReader | GzipFile) -> Iterator[Value | Fault]:
    """A value on each line; blank lines are passed over. A fault costs its own line only.

    Lines end at `\\n` only: JSON may hold U+2028 unescaped. Of a line of more than `MAX_ROW_BYTES` that much is kept.
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
    """The elements of one JSON array, up to the first syntax error."""
    window, decoder = _Window(file), _Decoder()
    if file.peek(3).startswith(codecs.BOM_UTF8):
        file.read(3)
        yield Fault(1, 1, BYTE_ORDER_MARK)
    try:
        if not window.skip_space():
            return
        window.expect("[", "'[', the start of an array of objects. For one object on each line name the file .jsonl")
        is_open = window.skip_space() != "]"
        number = 0
        while is_open:
            number += 1
            place = Fault(window.line, None, "", number)
            text, value, problems = decoder.element(window)
            yield Value(place, text.encode(), value, problems)
            is_open = window.skip_space() == ","
            if is_open:
                window.expect(",", "")
                window.skip_space()
        window.expect("]", "',' or ']' after an element of the array")
        if window.skip_space():
            raise window.fault(window.position, "expected the end of the file after ']'")
    except _SyntaxFault as error:
        yield error.fault


class _SyntaxFault(Exception):
    def __init__(self, fault: Fault):
        self.fault = fault


class _Decoder:
    """A JSON decoder that also tells of repeated keys and of the constants that JSON does not have."""

    def __init__(self):
        self.problems: list[str] = []
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_int=_number
        )

    def line(self, text: str, number: int) -> tuple[Any, list[Fault]]:
        """The one value of a line."""
        self.problems.clear()
        try:
            value = self.decoder.decode(text)
        except json.JSONDecodeError as error:
            raise _SyntaxFault(Fault(number, error.pos + 1, _syntax_reason(error, text[error.pos :]))) from error
        except RecursionError as error:
            raise _SyntaxFault(Fault(number, None, "objects or lists nested thousands deep")) from error
        return value, self._faults(text, number)

    def element(self, window: "_Window") -> tuple[str, Any, list[Fault]]:
        """The element at the window's place, which is then behind it."""
        while True:
            self.problems.clear()
            try:
                value, end = self.decoder.raw_decode(window.text, window.position)
                length = end - window.position
                if end < len(window.text) or not window.grow():
                    break
            except json.JSONDecodeError as error:
                # Perhaps only the rest of it has not been read yet.
                length = error.pos - window.position
                if len(window.text) - window.position > MAX_ROW_BYTES or not window.grow():
                    at = window.position + length
                    raise window.fault(at, _syntax_reason(error, window.text[at:]), _is_cut_off(error)) from error
            except RecursionError as error:
                raise window.fault(window.position, "objects or lists nested thousands deep") from error
        text, line = window.text[window.position : window.position + length], window.line
        window.advance(window.position + length)
        return text, value, self._faults(text, line)

    def _faults(self, text: str, line: int) -> list[Fault]:
        constants = [match for match in CONSTANT.finditer(text) if match[1]] if self.problems else []
        faults = [Fault(line, None, problem) for problem in self.problems if problem.startswith("the key")]
        for match in constants:
            before = text[: match.start()]
            column = match.start() - before.rfind("\n")
            faults.append(Fault(line + before.count("\n"), column, f"{match[1]}, which JSON does not have"))
        return faults

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated = [key for key in value if keys.count(key) > 1]
            self.problems += [f"the key {key!r} stands there {keys.count(key)} times" for key in repeated]
        return value

    def _constant(self, name: str) -> float:
        self.problems.append(name)
        return float(name.replace("Infinity", "inf"))


class _Window:
    """The part of a text file that is being read; knows the line and column of its places."""

    def __init__(self, file: BufferedReader | GzipFile):
        self.file, self.decode = file, codecs.getincrementaldecoder("utf-8")().decode
        self.text, self.position, self.line, self.line_start = "", 0, 1, 0
        self.is_whole, self.encoding_reason = False, ""

    def grow(self) -> bool:
        """Read on, as much again as there is; False at the end of the file, or of what can be decoded."""
        if self.is_whole:
            return False
        self.text, self.line_start, self.position = self.text[self.position :], self.line_start - self.position, 0
        content = self.file.read(max(WINDOW_CHARACTERS, len(self.text)))
        try:
            self.text += self.decode(content, final=not content)
        except UnicodeDecodeError as error:
            self.text += error.object[: error.start].decode("utf-8")
            self.encoding_reason = _encoding_reason(error)
        self.is_whole = not content or bool(self.encoding_reason)
        return not self.is_whole or bool(self.encoding_reason)

    def advance(self, position: int) -> None:
        lines = self.text.count("\n", self.position, position)
        if lines:
            self.line, self.line_start = self.line + lines, self.text.rfind("\n", self.position, position) + 1
        self.position = position

    def skip_space(self) -> str:
        """The next character that is no white space, or nothing at the end."""
        while True:
            # It matches the empty text too.
            self.advance(SPACE.match(self.text, self.position).end())  # ty: ignore[missing-union-attribute]
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.grow():
                return ""

    def expect(self, character: str, what: str) -> None:
        if self.text[self.position : self.position + 1] != character:
            raise self.fault(self.position, f"expected {what}", self.position == len(self.text))
        self.advance(self.position + 1)

    def fault(self, position: int, reason: str, is_cut_off: bool = False) -> _SyntaxFault:
        """The error at a place in the window's text; where the text ends early, for bytes that are not UTF-8."""
        if self.encoding_reason and is_cut_off:
            position, reason = len(self.text), self.encoding_reason
        self.advance(position)
        return _SyntaxFault(Fault(self.line, position - self.line_start + 1, reason))


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < 100 else float(digits)  # Python refuses thousands of digits


def _encoding_reason(error: UnicodeDecodeError) -> str:
    return f"not UTF-8: byte 0x{error.object[error.start]:02X}, {error.reason}; save the file as UTF-8"


def _syntax_reason(error: json.JSONDecodeError, rest: str) -> str:
    """The decoder's message in our words; `rest` is the text from the error's place on."""
    if error.msg.startswith("Invalid control character"):
        return f"the control character U+{ord(rest[0]):04X} unescaped in a text"
    if error.msg == "Extra data":
        return "expected the end of the line after one JSON value; put each object on a line of its own"
    reason = error.msg[0].lower() + error.msg[1:]
    reason = reason.replace("unterminated string starting at", "a text without its closing quote")
    return f"{reason}: it seems to be cut off" if _is_cut_off(error) else reason


def _is_cut_off(error: json.JSONDecodeError) -> bool:
    return error.msg.startswith("Unterminated string") or not error.doc[error.pos :].strip()
