"""Run folders: listing, finding and naming, newest first.

A run is never overwritten: the next run with the same preset and pairs gets the next number.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from utils import artifacts
from utils.config import RunConfig
from utils.errors import UserError, short, visible
from utils.runs import labels
from utils.runs.metrics import METRICS


def runs(data_dir: Path) -> list[Path]:
    """Every run in the data folder, the most recently written first."""
    written = {}
    for run_dir in (Path(data_dir) / "runs").glob("[!.]*"):  # hidden ones are partly deleted
        if begun := written_at(run_dir / "config.json"):
            written[run_dir] = written_at(run_dir / METRICS) or begun
    return sorted(written, key=written.__getitem__, reverse=True)


def readable(data_dir: Path) -> dict[Path, RunConfig]:
    """Every run with readable settings, and these, the most recently written first."""
    configs = {}
    for run_dir in runs(data_dir):
        with suppress(UserError):  # damaged, or settings of another version of the workbook
            configs[run_dir] = RunConfig.load(run_dir / "config.json")
    return configs


def titles(run_dirs: Iterable[Path]) -> dict[Path, str]:
    """What lists call each run: its label, else the settings that differ from its preset, and its name."""
    found = {}
    for run_dir in run_dirs:
        name, label = visible(run_dir.name), labels.about(run_dir).label
        with suppress(UserError):  # unreadable settings
            label = labels.labels({name: RunConfig.load(run_dir / "config.json")}, {name: label})[name]
        found[run_dir] = labels.title(name, label)
    return found


def continuing(data_dir: Path, run_dir: Path) -> list[str]:
    """The names of runs that began with the tuned model of this one."""
    model = str(Path(run_dir).resolve() / "model")
    return [path.name for path, config in readable(data_dir).items() if config.model_name_or_path == model]


def new_run_dir(data_dir: Path, config: RunConfig) -> Path:
    """The folder for the next run of this preset on these pairs; not created yet."""
    stem = f"{config.preset}-{artifacts.slug(config.pairs)}"
    matches = [
        re.fullmatch(re.escape(stem) + r"(?:-(\d+))?", path.name) for path in (Path(data_dir) / "runs").glob("*")
    ]
    last = max([int(match[1] or 1) for match in matches if match], default=0)
    return Path(data_dir) / "runs" / (f"{stem}-{last + 1}" if last else stem)


def choose_run(data_dir: Path, config: RunConfig, fresh: bool = False) -> Path:
    """The newest run with these settings, on any number of processes, or the folder for a new one."""
    known = {} if fresh else readable(data_dir)
    same = [path for path, other in known.items() if other.with_changes(num_processes=config.num_processes) == config]
    return same[0] if same else new_run_dir(data_dir, config)


def named(data_dir: Path, run: str) -> Path:
    """The folder of the run of this name, existing or new; raises `UserError` for a path and a hidden folder."""
    if run != Path(run).name or run.startswith("."):
        raise UserError(
            f"RUN must be the name of a folder in {Path(data_dir) / 'runs'}, such as tiny-python-basics, got "
            f"{short(run)}. Leave out the rest of the path; DATA names another data folder."
        )
    return Path(data_dir) / "runs" / run


def find_run(data_dir: Path, config: RunConfig, run: str = "", is_finished: bool = False) -> Path:
    """The folder of the named run, or the newest run of this preset on these pairs; raises `UserError` without one.

    With `is_finished`, the newest that has a model, if there is one.
    """
    if run:
        run_dir = named(data_dir, run)
        existing = [path for path in runs(data_dir) if path == run_dir]
    else:
        wanted = config.preset, config.pairs
        existing = [path for path, other in readable(data_dir).items() if (other.preset, other.pairs) == wanted]
        existing = is_finished and [path for path in existing if (path / "model").exists()] or existing
    if not existing:
        wanted = run or f"of preset {config.preset!r} on {config.pairs!r}"
        raise UserError(f"there is no run {wanted} in {Path(data_dir) / 'runs'}. Run notebook 03_train_fsdp first.")
    return existing[0]


def written_at(path: Path) -> float:
    """The modification time of a file, in seconds since 1970; 0 if there is none."""
    with suppress(OSError):
        return path.lstat().st_mtime
    return 0.0


def size_bytes(run_dir: Path) -> int:
    """The size of a run's files."""
    total = 0
    for folder, _, names in os.walk(run_dir):  # folders removed in the meantime are skipped
        for name in names:
            with suppress(OSError):  # a checkpoint that was just replaced
                total += os.lstat(os.path.join(folder, name)).st_size
    return total
