"""Raw rows become clean pairs: read strictly, cleaned, split into train and validation, and every row accounted for.

A pair is {"instruction", "input", "response", "origin", "source", "license"}, all text, and "kind" where the source has
kinds. `origin` is where it comes from, which decides its side of the split.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from utils import artifacts, sources
from utils.errors import UserError, unknown

PARTS = TRAIN, VALIDATION, REJECTS = "train", "validation", "rejects"
REPORT = "report.json"

# A twentieth of some thousand pairs is enough for a steady validation loss, and leaves nearly all of them to train on.
VALIDATION_SHARE = 0.05


def prepare(
    pairs: str, data_dir: Path, gpteacher_file: str = "", response_field: str = "response"
) -> tuple[Path, bool]:
    """The folder with the clean pairs of a source (see `sources.find`), and whether it was kept as it was.

    It is made again when the source, the response's field or the code has changed. It holds train.jsonl,
    validation.jsonl, rejects.jsonl (bad rows as they were read, each with its reason) and report.json (the books).
    Raises `UserError`, and leaves the folder as it was, when the source cannot be read or none of its rows can be used.
    """
    source = sources.find(pairs, data_dir, gpteacher_file, response_field)
    folder = artifacts.pairs_dir(data_dir, pairs)
    inputs = {
        "source": source.name,
        "content": source.sha256,
        "response field": source.response_field,
        "code": artifacts.code_sha256("sources", "pairs"),
    }
    is_whole = all((folder / f"{part}.jsonl").exists() for part in PARTS)
    if is_whole and not artifacts.stale_inputs(folder, inputs):
        return folder, True
    kept, rejects, books = sort_rows(source)
    with artifacts.building(folder, inputs, books) as building:
        for split in (TRAIN, VALIDATION):
            _write(building / f"{split}.jsonl", (row for row in kept if split_of(row["origin"]) == split))
        _write(building / f"{REJECTS}.jsonl", rejects)
        artifacts.write_json(building / REPORT, books)
    return folder, False


def load(folder: Path, part: str) -> list[dict[str, str]]:
    """The rows of `train`, `validation` or `rejects` in a folder of pairs; raises `UserError` when it is missing."""
    if part not in PARTS:
        raise unknown("part of the pairs", part, PARTS)
    artifacts.require(Path(folder), "01_data")
    with open(Path(folder) / f"{part}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def load_books(folder: Path) -> dict[str, Any]:
    """The books of a folder of pairs: where the rows come from, and how many were read, kept, rejected and so on."""
    return artifacts.require(Path(folder), "01_data")["facts"]


def sort_rows(source: sources.Source) -> tuple[list[dict], list[dict], dict[str, Any]]:
    """The pairs to keep, the rejected rows with their reasons, and the books, which count every row once."""
    kept, rejects, seen, num_read = [], [], set(), 0
    for place, text, value in _raw_rows(source):
        num_read += 1
        reason = _fault(value, source.response_field)
        if reason:
            rejects.append({"place": place, "reason": reason, "text": text})
            continue
        row = _clean_row(value, source)
        key = row["instruction"], row["input"], row["response"]
        if key not in seen:
            seen.add(key)
            kept.append(row)
    if not kept:
        why = f" The first, {rejects[0]['place']}: {rejects[0]['reason']}." if rejects else ""
        hint = f" RESPONSE_FIELD names the field with the response, now {source.response_field!r}."
        raise UserError(f"{source.path or source.name}: none of its {num_read} rows can be used.{why}{hint}")
    splits = Counter(split_of(row["origin"]) for row in kept)
    books = {
        "source": source.name,
        "license": source.license,
        "num_read": num_read,
        "num_kept": len(kept),
        "num_rejected": len(rejects),
        "num_duplicates": num_read - len(kept) - len(rejects),
        "num_train": splits[TRAIN],
        "num_validation": splits[VALIDATION],
        "num_origins": len({row["origin"] for row in kept}),
        "kinds": dict(Counter(row["kind"] for row in kept if "kind" in row)),
    }
    return kept, rejects, books


def split_of(origin: str) -> str:
    """The side all pairs of this origin stand on, whatever other rows there are."""
    share = int(artifacts.sha256_text(origin)[:8], 16) / 16**8
    return VALIDATION if share < VALIDATION_SHARE else TRAIN


def clean(text: str) -> str:
    """The text with `\\n` line ends, without blank lines before it and without white space after it.

    The first line keeps its indentation, which a response that goes on with a function needs.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    return re.sub(r"\A(?:[^\S\n]*\n)+", "", text)


def _clean_row(value: dict[str, str], source: sources.Source) -> dict[str, str]:
    row = {
        "instruction": clean(value["instruction"]).lstrip(),
        "input": clean(value.get("input", "")),
        "response": clean(value[source.response_field]),
    }
    made = source.path is None  # only the rows made here say themselves where they are from, and of what kind
    row["origin"] = value["origin"] if made else " ".join(re.findall(r"\w+", row["instruction"].casefold()))
    row |= {"source": source.name, "license": source.license}
    return row | {"kind": value["kind"]} if made else row


def _fault(value: Any, response_field: str) -> str:
    """Why this row cannot be used; empty when it can."""
    if not isinstance(value, dict):
        return f"expected an object, got {_shown(value)}"
    for field in ("instruction", response_field):
        if field not in value:
            return str(unknown("field", field, value)).rstrip(".")
    for field in ("instruction", "input", response_field):
        text = value.get(field, "")
        if not isinstance(text, str):
            return f"{field!r} must be text, got {_shown(text)}"
        if field != "input" and not text.strip():
            return f"{field!r} is blank"
        if "\0" in text:
            return f"{field!r} holds a NUL character"
        if re.search("[\ud800-\udfff]", text):
            return f"{field!r} holds half a surrogate pair, which is no character"
    return ""


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _raw_rows(source: sources.Source) -> Iterator[tuple[str, str, Any]]:
    """Each row of a source: its place (`row 3`, `line 7`), its text as it stands there, and its value."""
    if source.path is None:
        for number, pair in enumerate(sources.standard_library(), start=1):
            yield f"row {number}", json.dumps(pair, ensure_ascii=False), pair
        return
    try:
        text = source.path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise _syntax_error(source.path, error.object, error.start, f"not UTF-8 ({error.reason})") from error
    if text.startswith("\ufeff"):
        raise _syntax_error(source.path, text, 0, "a byte-order mark; save the file as UTF-8 without one")
    rows = _json_lines if source.path.suffix == ".jsonl" else _json_array
    yield from rows(source.path, text)


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, str, Any]]:
    """One value on each line; blank lines are passed over. Lines end at `\\n` only: JSON may hold U+2028 unescaped."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        value, end = _json_value(path, line, _skip_space(line, 0), number)
        end = _skip_space(line, end)
        if end < len(line):
            raise _syntax_error(path, line, end, "expected the end of the line after one JSON value", number)
        yield f"line {number}", line, value


def _json_array(path: Path, text: str) -> Iterator[tuple[str, str, Any]]:
    """The elements of one JSON array."""
    position, number = _skip_space(text, 0), 0
    if text[position : position + 1] != "[":
        raise _syntax_error(path, text, position, "expected '[', the start of a JSON array of objects")
    position = _skip_space(text, position + 1)
    is_open = text[position : position + 1] != "]"
    while is_open:
        value, end = _json_value(path, text, position)
        number += 1
        yield f"row {number}", text[position:end], value
        position = _skip_space(text, end)
        is_open = text[position : position + 1] == ","
        if not is_open and text[position : position + 1] != "]":
            raise _syntax_error(path, text, position, "expected ',' or ']' after an element of the array")
        position = _skip_space(text, position + 1) if is_open else position
    if text[position + 1 :].strip():
        raise _syntax_error(path, text, _skip_space(text, position + 1), "expected the end of the file after ']'")


def _json_value(path: Path, text: str, position: int, first_line: int = 1) -> tuple[Any, int]:
    """The JSON value that starts at this position of the text, and where it ends."""
    try:
        return json.JSONDecoder().raw_decode(text, position)
    except json.JSONDecodeError as error:
        raise _syntax_error(path, text, error.pos, error.msg, first_line) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, objects nested thousands deep
        raise _syntax_error(path, text, position, str(error), first_line) from error


def _skip_space(text: str, position: int) -> int:
    return re.compile(r"[ \t\n\r]*").match(text, position).end()


def _syntax_error(path: Path, content: str | bytes, position: int, reason: str, first_line: int = 1) -> UserError:
    """The error at a position of a file's content, as FILE:LINE:COLUMN; columns of bytes where it is not text."""
    newline = "\n" if isinstance(content, str) else b"\n"
    line = content.count(newline, 0, position) + first_line
    column = position - content.rfind(newline, 0, position)
    return UserError(f"{path}:{line}:{column}: {reason}. Correct the file and run this again; nothing was changed.")


def _write(path: Path, rows) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
