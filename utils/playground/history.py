"""The playground's history in the run's folder, its export as Markdown, and answers saved as pairs.

`playground.jsonl` has one line per question: `time`, the fields of `prompt_modes.Question`, and per column `model`,
`name`, `prompt`, `note` and `answers` (the fields of `Written`). Lines are never changed or removed, not even partial
ones.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from utils import files
from utils.data import reader
from utils.errors import UserError

HISTORY = "playground.jsonl"


@dataclass(frozen=True)
class Written:
    """One answer with its time to the first token and its speed (end-of-text included)."""

    text: str
    reason: str
    ids: list[int]
    num_tokens: int
    first_token_seconds: float
    tokens_per_second: float


def append(run_dir: Path, question, columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Append a question (`prompt_modes.Question`) and its answers to the history; returns the record."""
    record = {"time": time.strftime("%Y-%m-%d %H:%M:%S"), **asdict(question), "columns": columns}
    files.append_line(Path(run_dir) / HISTORY, json.dumps(record, allow_nan=False), keep_unfinished=True)
    return record


def load(run_dir: Path) -> tuple[list[dict[str, Any]], int]:
    """All records, oldest first, and the number of unreadable lines."""
    path, records, num_broken = Path(run_dir) / HISTORY, [], 0
    for line in filter(None, path.read_bytes().splitlines() if path.exists() else ()):
        try:
            records.append(json.loads(line))
        except ValueError:
            num_broken += 1
    return records, num_broken


def markdown(record: dict[str, Any]) -> str:
    """A question and its answers as Markdown; fences are longer than any in the text."""
    settings = ", ".join(f"{name} {value}" for name, value in record["settings"].items() if value or value == 0)
    lines = [f"# {record['mode']}, {record['time']}", "", settings, ""]
    for title in ("instruction", "input", "text"):
        if record[title]:
            lines += [f"**{title.capitalize()}**", "", _fenced(record[title]), ""]
    for column in record["columns"]:
        for number, answer in enumerate(column["answers"], start=1):
            which = f", answer {number}" if len(column["answers"]) > 1 else ""
            lines += [f"## {_plain(column['model'])}{which}", ""]
            lines += [f"{answer['num_tokens']} tokens, ended by: {answer['reason']}. {_plain(column['note'])}".rstrip()]
            lines += ["", _fenced(answer["text"]), ""]
    return "\n".join(lines)


def save_markdown(run_dir: Path, record: dict[str, Any]) -> Path:
    stem = "playground-" + record["time"].replace(":", "").replace(" ", "-")
    for number in range(1, 1000):
        path = Path(run_dir) / f"{stem}{f'-{number}' if number > 1 else ''}.md"
        try:
            with open(path, "x", encoding="utf-8", opener=files.opener) as file:
                file.write(markdown(record))
            return path
        except FileExistsError:
            continue
    raise UserError(f"{run_dir} has 1,000 files {stem}-….md already: move some away.")


def add_pair(path: Path, pair: dict[str, str], origin: dict[str, Any]) -> int:
    """Append a pair (`instruction`, `input`, `response`) to a JSON lines file; returns the number of its pairs.

    Its origin is appended to `<name>.origins.jsonl`. Raises `UserError` for a pair that notebook 01 would refuse, and
    for a duplicate.
    """
    if faults := list(reader.faults(pair)):
        raise UserError(f"This is not a pair yet: {'; '.join(fault.reason for fault in faults)}.")
    path = Path(path)
    if path.suffix != ".jsonl":
        raise UserError(f"A file of pairs must end in .jsonl, got {path.name!r}.")
    # Not `splitlines`: JSON may contain U+2028 and U+0085 unescaped.
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()] if path.exists() else []
    line = json.dumps(pair, ensure_ascii=False)
    if line in lines:
        raise UserError(f"{path.name} has this pair already.")
    files.make_parents(path)
    origin = {"pair": len(lines) + 1, **origin}
    for file, text in ((path, line), (path.with_suffix(".origins.jsonl"), json.dumps(origin, ensure_ascii=False))):
        files.append_line(file, text, keep_unfinished=True, mode=files.PRIVATE)  # an editor may have left no line end
    return len(lines) + 1


def _fenced(text: str) -> str:
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _plain(text: str) -> str:
    """One line with Markdown and HTML syntax escaped."""
    return "".join(c if c.isalnum() or c in " .,:/@-" else "\\" + c if c in "*_[]()#!`" else "?" for c in text)
