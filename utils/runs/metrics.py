"""`metrics.jsonl`: one line per update and per evaluation, appended as they happen.

A training line: `kind` "train", `step` (updates, from 1), `epoch`, `loss` (mean over its target tokens, nats),
`learning_rate`, `grad_norm` (before clipping), `num_tokens`, `num_target_tokens`, `total_tokens` (since the start),
`tokens_per_second`, `mfu` (model FLOPs utilization), `seconds` (training time over all
resumes), `memory_bytes` (largest process).

An evaluation line: `kind` "eval", `step`, `epoch`, `eval_loss`,
`num_target_tokens`, `eval_seconds` (not part of `seconds`; includes the samples), `total_tokens`, `seconds`.

`samples.jsonl`: one line per sample at every evaluation: `step`, `row` (of the validation rows), `prompt`,
`response` (the pair's own), `answer` (the model's), `reason` (for its end).
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils import files
from utils.errors import UserError, unknown

METRICS, SAMPLES = "metrics.jsonl", "samples.jsonl"


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
        self._inode, self._offset = 0, 0

    def read(self) -> bool:
        """Whether anything is new; raises `UserError` for a line that is not JSON and for a symbolic link."""
        try:
            with open(self.path, "rb", opener=files.opener) as file:
                found = os.fstat(file.fileno())
                is_new = found.st_ino != self._inode or found.st_size < self._offset
                if is_new:
                    self.records, self._inode, self._offset = [], found.st_ino, 0
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            is_new = bool(self.records)
            self.records, self._inode, self._offset = [], 0, 0
            return is_new
        whole = text[: text.rfind(b"\n") + 1]
        lines = whole.splitlines()
        try:
            # As one array, which takes two thirds of the time of line by line.
            self.records += json.loads(b"[" + b",".join(lines) + b"]")
        except ValueError as error:
            number = len(self.records) + next(index for index, line in enumerate(lines, start=1) if not _is_json(line))
            raise UserError(f"{self.path}:{number}: this line is not JSON. Delete it, and try again.") from error
        self._offset += len(whole)
        return is_new or bool(whole)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.decode())
    except ValueError:
        return False
    return True


def truncate(run_dir: Path, last_step: int) -> None:
    """Remove lines after `last_step` and a partial last line: a resumed run writes them again."""
    for file in (METRICS, SAMPLES):
        kept = [record for record in read(run_dir, file) if record["step"] <= last_step]
        files.write_text(run_dir / file, "".join(json.dumps(record) + "\n" for record in kept))


def train_lines(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == "train"]


def eval_lines(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == "eval"]


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
