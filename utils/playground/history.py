"""The playground's history in the run's folder, its export as Markdown, and answers saved as pairs.

`playground.jsonl` has one line per question: `time`, the fields of `prompt_modes.Question`, and per column `model`,
`name`, `prompt`, `note`, `turns` and `answers` (the fields of `Written`). Lines are never changed or removed, not even
partial ones.
"""

import json
import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from utils import files, paths
from utils.data import reader
from utils.errors import UserError
from utils.markdown import code, fenced
from utils.model.generation import GenerationSettings
from utils.model.prompt_modes import Question

HISTORY = "playground.jsonl"
# The fields that a record is read by, and their types.
ANSWER = {
    **{"text": str, "reason": str, "ids": [int], "num_tokens": int},
    **{"first_token_seconds": files.NUMBER, "tokens_per_second": files.NUMBER},
}
COLUMN = {"model": str, "name": str, "prompt": str, "note": str, "answers": [ANSWER], "turns": [[str]]}
RECORD = {
    **{"time": str, "mode": str, "instruction": str, "input": str, "text": str, "template": str},
    **{"num_answers": int, "settings": {"stop": [str]}, "columns": [COLUMN], "system": str},
}


@dataclass(frozen=True)
class Written:
    """One answer with its time to the first token and its speed (end-of-text included)."""

    text: str
    reason: str
    ids: list[int]
    num_tokens: int
    first_token_seconds: float
    tokens_per_second: float


def append(run_dir: Path, question: Question, columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Append a question and its answers to the history; returns the record."""
    record = _completed({"time": time.strftime("%Y-%m-%d %H:%M:%S"), **asdict(question), "columns": columns})
    files.append_line(Path(run_dir) / HISTORY, json.dumps(record, allow_nan=False), keep_unfinished=True)
    return record


def load(run_dir: Path) -> tuple[list[dict[str, Any]], int]:
    """All records, oldest first, and the number of unreadable lines."""
    records, num_broken, content = [], 0, b""
    with suppress(FileNotFoundError):
        content = files.read_bytes(Path(run_dir) / HISTORY, files.MAX_LINES_BYTES)
    for line in filter(None, content.split(b"\n")):
        try:
            record = json.loads(line)
            json.dumps(record, ensure_ascii=False).encode()  # no page or file can hold half a surrogate
        except (ValueError, RecursionError):
            record = None
        record = _completed(record)
        is_good = not files.misfit(record, RECORD)
        records += [record] if is_good else []
        num_broken += not is_good
    return records, num_broken


def question_of(record: dict[str, Any]) -> Question:
    """The question of a record, without settings that this version does not know."""
    known = {field.name for field in fields(GenerationSettings)}
    settings = {name: value for name, value in record["settings"].items() if name in known}
    settings["stop"] = tuple(settings["stop"])
    names = ("mode", "instruction", "input", "text", "num_answers", "template", "system")
    return Question(**{name: record[name] for name in names}, settings=GenerationSettings(**settings))


def markdown(record: dict[str, Any]) -> str:
    """A question and its answers as Markdown, all text as code, with hidden characters as escapes."""
    settings = ", ".join(f"{name} {value}" for name, value in record["settings"].items() if value or value == 0)
    lines = [f"# {code(record['mode'])}, {code(record['time'])}", "", code(settings), ""]
    for title in ("system", "instruction", "input", "text"):
        if record[title]:
            lines += [f"**{title.capitalize()}**", "", fenced(record[title]), ""]
    for column in record["columns"]:
        for asked, answered in column["turns"]:
            lines += [f"## {code(column['model'])}, before", "", fenced(asked), "", fenced(answered), ""]
        for number, answer in enumerate(column["answers"], start=1):
            which = f", answer {number}" if len(column["answers"]) > 1 else ""
            note = f" {code(column['note'])}" if column["note"] else ""
            lines += [f"## {code(column['model'])}{which}", ""]
            lines += [f"{answer['num_tokens']} tokens, ended by: {code(answer['reason'])}{note}"]
            lines += ["", fenced(answer["text"]), ""]
    return "\n".join(lines)


def save_markdown(run_dir: Path, record: dict[str, Any]) -> Path:
    """Write the record beside the history, to a new file."""
    stem = "playground-" + re.sub(r"\W+", "-", record["time"].replace(":", ""))[:40]
    for number in range(1, 1000):
        path = Path(run_dir) / f"{stem}{f'-{number}' if number > 1 else ''}.md"
        try:
            with files.writing(path), open(path, "xb", opener=files.opener) as file:
                file.write(markdown(record).encode())
            return path
        except FileExistsError:
            continue
    raise UserError(f"{run_dir} has 1,000 files {stem}-….md already: move some away.")


def add_pair(path: Path, pair: dict[str, str], origin: dict[str, Any]) -> int:
    """Append a pair (`instruction`, `input`, `response`) to a JSON lines file; returns the number of its pairs.

    Its origin is appended to `<name>.origins.jsonl`. Raises `UserError` for a pair that notebook 01 would refuse, for a
    duplicate, and for a file that is not UTF-8.
    """
    if faults := list(reader.faults(pair)):
        raise UserError(f"This is not a pair yet: {'; '.join(fault.reason for fault in faults)}.")
    path = paths.absolute(path)
    if path.suffix != ".jsonl":
        raise UserError(f"A file of pairs must end in .jsonl, got {path.name!r}.")
    content = ""
    # Not `splitlines`: JSON may contain U+2028 and U+0085 unescaped.
    try:
        content = files.read_bytes(path, files.MAX_LINES_BYTES).decode()
    except FileNotFoundError:
        pass  # the first pair makes it
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}). Convert it, or choose another file.") from error
    lines = [line for line in content.split("\n") if line.strip()]
    line = json.dumps(pair, ensure_ascii=False)
    if line in lines:
        raise UserError(f"{path.name} has this pair already.")
    files.make_parents(path)
    origin_line = json.dumps({"pair": len(lines) + 1, **origin})
    for file, text in ((path, line), (path.with_suffix(".origins.jsonl"), origin_line)):
        files.append_line(file, text, keep_unfinished=True, mode=files.PRIVATE)  # an editor may have left no line end
    return len(lines) + 1


def _completed(record: Any) -> Any:
    """A record with the fields that older versions did not write."""
    if files.misfit(record, {"columns": [dict]}):
        return record
    return {"system": ""} | record | {"columns": [{"turns": []} | column for column in record["columns"]]}
