"""`metrics.jsonl`: one line per update and per evaluation, appended as they happen.

A training line: `kind` "train", `step` (updates, from 1), `epoch`, `loss` (mean over its target tokens, nats),
`learning_rate`, `grad_norm` (before clipping), `num_tokens`, `num_target_tokens`, `total_tokens` (since the start),
`tokens_per_second`, `mfu` (model FLOPs utilization), `seconds` (training time over all
resumes), `memory_bytes` (largest process).

An evaluation line: `kind` "eval", `step`, `epoch`, `eval_loss`,
`num_target_tokens`, `eval_seconds` (not part of `seconds`; includes the samples), `total_tokens`, `seconds`.

A line of tasks, some time after its evaluation: `kind` "tasks", `step`, `pass_rate` (0 to 1), `num_tasks`.

`samples.jsonl`: one line per sample at every evaluation: `step`, `row` (of the validation rows), `prompt`,
`response` (the pair's own), `answer` (the model's), `reason` (for its end).
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils import files
from utils.errors import UserError, short, unknown

METRICS, SAMPLES = "metrics.jsonl", "samples.jsonl"
TASK_ANSWERS = Path("evaluation", "training")  # a file for every evaluation, and its result as .json
# The numbers in every line; others are missing in older runs.
LINES = {
    "train": {
        *("step", "epoch", "loss", "learning_rate", "grad_norm", "num_tokens", "total_tokens", "tokens_per_second"),
        *("seconds", "memory_bytes"),
    },
    "eval": {"step", "epoch", "eval_loss"},
    "tasks": {"step", "pass_rate", "num_tasks"},
}
POSITIVE = ("step", "epoch", "num_tokens", "tokens_per_second")  # in training lines
MAX_STEP = 2**53  # the largest number that tables and figures show exactly
SAMPLE = {"step": int, "row": int, "prompt": str, "response": str, "answer": str, "reason": str}


def append(run_dir: Path, record: dict[str, Any], file: str = METRICS) -> None:
    """Append one line, floats at full precision; raises `ValueError` for NaN and infinity.

    A partial last line, left by a crash, is removed first.
    """
    files.append_line(run_dir / file, json.dumps(record, allow_nan=False))


def read(run_dir: Path, file: str = METRICS) -> list[dict[str, Any]]:
    """All complete lines, oldest first; raises as `Tail.read` does."""
    tail = Tail(run_dir, file)
    tail.read()
    return tail.records


class Tail:
    """A growing file of a run: `records` are its complete lines so far; `read` reads only what was appended.

    A resumed run writes the file again; then all of it is read again.
    """

    def __init__(self, run_dir: Path, file: str = METRICS):
        self.path = Path(run_dir) / file
        self.records: list[dict[str, Any]] = []
        self._offset, self._last = 0, b""  # the end and the content of the last line read

    def read(self) -> bool:
        """Whether anything is new; raises `UserError` for a line that is not a record, with its number."""
        try:
            with open(self.path, "rb", opener=files.opener) as file:
                size = os.fstat(file.fileno()).st_size
                if size > files.MAX_LINES_BYTES:
                    raise UserError(f"{self.path} has {size:,} bytes, at most {files.MAX_LINES_BYTES:,} are read.")
                # One call, with the last line again: a file that was written again has another one there.
                text = os.pread(file.fileno(), size, self._offset - len(self._last))
                is_new = not text.startswith(self._last)
                if is_new:
                    text = os.pread(file.fileno(), size, 0)
        except FileNotFoundError:
            text, is_new = b"", bool(self.records)
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror}.") from error
        records, offset, last = ([], 0, b"") if is_new else (self.records, self._offset, self._last)
        *lines, _ = text[0 if is_new else len(last) :].split(b"\n")  # the last one is incomplete, or empty
        new = [self._record(line, number) for number, line in enumerate(lines, start=len(records) + 1)]
        if lines:
            offset, last = offset + sum(map(len, lines)) + len(lines), lines[-1] + b"\n"
        records += new
        self.records, self._offset, self._last = records, offset, last
        return is_new or bool(lines)

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
            fault = _fault(record, self.path.name)
        except (ValueError, RecursionError):
            fault = "this line is not JSON"
        if fault:
            raise UserError(f"{self.path}:{number}: {fault}. Delete the line, and try again.")
        return record


def _fault(record: Any, file: str) -> str:
    """Why a value is not a record of this file, or ""."""
    if not isinstance(record, dict) or file == SAMPLES:
        return files.misfit(record, SAMPLE, "the line")
    required = LINES.get(kind) if isinstance(kind := record.get("kind"), str) else None
    if required is None:
        return f"'kind' must be one of {', '.join(LINES)}, got {short(kind)}"
    for name in required | record.keys() - {"kind"}:  # not `misfit`, for speed
        value = record.get(name)
        if type(value) not in (int, float) or not abs(value) <= files.MAX_NUMBER:
            return f"{name!r} must be a finite number, got {short(value)}"
        if name == "step" and not (type(value) is int and 0 <= value <= MAX_STEP):
            return f"'step' must be a whole number from 0 to {MAX_STEP:,}, got {short(value)}"
        if value <= 0 and name in POSITIVE and kind == "train":
            return f"{name!r} must be above 0, got {short(value)}"
        if name == "pass_rate" and not 0 <= value <= 1:
            return f"'pass_rate' must be between 0 and 1, got {short(value)}"
    return ""


def truncate(run_dir: Path, last_step: int) -> None:
    """Remove lines and answers after `last_step` and a partial last line: a resumed run writes them again."""
    for step, path in task_answers(run_dir).items():
        if step > last_step:
            files.unlink(path)
            files.unlink(path.with_suffix(".json"))
    for file in (METRICS, SAMPLES):
        kept = [record for record in read(run_dir, file) if record["step"] <= last_step]
        files.write_text(run_dir / file, "".join(json.dumps(record) + "\n" for record in kept))


def task_answers(run_dir: Path) -> dict[int, Path]:
    """The files with answers to `eval_tasks`, by the step of their evaluation."""
    paths = sorted((run_dir / TASK_ANSWERS).glob("step-????????.jsonl"))
    return {int(path.stem[-8:]): path for path in paths if path.stem[-8:].isdecimal()}


def train_lines(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == "train"]


def eval_lines(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == "eval"]


def task_lines(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == "tasks"]


class Trackers:
    """The trackers named in `report_to`, such as `tensorboard,wandb`, through accelerate's classes.

    Raises `UserError` for a name that accelerate does not know or whose package is not installed. Files of trackers are
    in the run's folder. Not covered: logins, and what a tracker sends.
    """

    def __init__(self, run_dir: Path, report_to: str, settings: dict[str, Any]):
        self._trackers = []
        names = [name.strip() for name in report_to.split(",") if name.strip()]
        if not names:
            return
        from accelerate import PartialState
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

        PartialState()  # its trackers ask it which process is the first
        installed = [str(name) for name in get_available_trackers()]
        for name in names:
            if name not in installed:
                raise unknown("tracker in report_to", name, installed or ["(none is installed)"])
            kind = LOGGER_TYPE_TO_CLASS[name]
            place: dict[str, Any] = {"logging_dir": str(run_dir)} if kind.requires_logging_directory else {}
            if place:  # accelerate's classes write into a folder of the run's name
                files.make_folder(run_dir / run_dir.name)
            tracker = kind(run_dir.name, **place)
            tracker.start()
            tracker.store_init_configuration(settings)
            if place:
                files.hand_down_mode(run_dir / run_dir.name)
            self._trackers.append(tracker)

    def log(self, record: dict[str, Any]) -> None:
        """Pass the numbers of a metrics line to every tracker."""
        numbers = {name: value for name, value in record.items() if isinstance(value, int | float) and name != "step"}
        for tracker in self._trackers:
            tracker.log(numbers, step=record["step"])

    def finish(self) -> None:
        for tracker in self._trackers:
            tracker.finish()
