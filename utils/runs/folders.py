"""Run folders: listing, finding and naming, newest first.

A run is never overwritten: the next run with the same preset and pairs gets the next number.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

from utils import artifacts
from utils.config import RunConfig
from utils.errors import UserError
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


def series(data_dir: Path, config: RunConfig) -> list[Path]:
    """The runs of this preset on these pairs, newest first: … `<preset>-<pairs>-2`, `<preset>-<pairs>`."""
    stem = f"{config.preset}-{artifacts.slug(config.pairs)}"
    pattern = re.compile(re.escape(stem) + r"(-(\d+))?")
    matches = [(pattern.fullmatch(path.name), path) for path in (Path(data_dir) / "runs").glob(f"{stem}*")]
    numbered = [(int(match[2] or 1), path) for match, path in matches if match]
    return [path for _, path in sorted(numbered, reverse=True)]


def new_run_dir(data_dir: Path, config: RunConfig) -> Path:
    """The folder for the next run of this preset on these pairs; not created yet."""
    existing = series(data_dir, config)
    stem = f"{config.preset}-{artifacts.slug(config.pairs)}"
    if not existing:
        return Path(data_dir) / "runs" / stem
    last = existing[0].name.removeprefix(stem).lstrip("-")
    return Path(data_dir) / "runs" / f"{stem}-{int(last or 1) + 1}"


def choose_run(data_dir: Path, config: RunConfig, fresh: bool = False) -> Path:
    """The newest run with these settings, on any number of processes, or the folder for a new one."""
    for run_dir in [] if fresh else series(data_dir, config):
        with suppress(UserError):  # a configuration of another version of the workbook
            recorded = RunConfig.load(run_dir / "config.json")
            if recorded.with_changes(num_processes=config.num_processes) == config:
                return run_dir
    return new_run_dir(data_dir, config)


def find_run(data_dir: Path, config: RunConfig, run: str = "") -> Path:
    """The folder of the named run, or the newest run of this preset on these pairs; raises `UserError` without one."""
    existing = [Path(data_dir) / "runs" / run] if run else series(data_dir, config)
    existing = [path for path in existing if (path / "config.json").exists()]
    if not run:  # the name of a run on other pairs can look like the next number
        known = readable(data_dir)
        existing = [path for path in existing if path in known and known[path].pairs == config.pairs]
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
