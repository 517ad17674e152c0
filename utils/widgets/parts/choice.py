"""What the notebooks work on: preset, pairs and run, chosen once and remembered in the data folder's `choice.json`.

The values of a notebook's cell `parameters` and of the environment win: where one is given, nothing remembered is used.
`make run` gives them all.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from utils import files
from utils.config import PAIR_SUFFIXES, RunConfig
from utils.data import sources
from utils.data.reader import Fields
from utils.errors import UserError, short
from utils.runs import folders

REMEMBERED, UPLOADS = "choice.json", "uploads"


@dataclass(frozen=True)
class Choice:
    """`pairs`, `run` and `start` are empty for the preset's pairs, the newest run and the preset's model.

    `start` is the name of a finished run whose tuned model is trained further; `map` and `ignore` are the fields of a
    file, as `Fields.parse` takes them.
    """

    preset: str = "tiny"
    pairs: str = ""
    run: str = ""
    start: str = ""
    map: str = ""
    ignore: str = ""

    def config(self, data_dir: Path, overrides: str = "{}") -> RunConfig:
        """The settings of this choice, with `overrides` as a JSON object; raises `UserError` as `RunConfig.chosen`."""
        config = RunConfig.chosen(self.preset, self.pairs, overrides)
        if not self.start:
            return config
        run_dir = folders.named(data_dir, self.start)
        template = RunConfig.load(run_dir / "config.json").template
        start = {"model_name_or_path": str(run_dir / "model"), "revision": RunConfig.revision, "template": template}
        return config.with_changes(**start | json.loads(overrides)).resolved()


def check(choice: Choice, data_dir: Path) -> None:
    """Raise `UserError`, with the field's name, for an unknown preset or source, and what does not exist any more."""
    for name, test in _TESTS.items():
        try:
            test(choice, Path(data_dir))
        except UserError as error:
            raise UserError(str(error), name) from error


def _check_pairs(choice: Choice, data_dir: Path) -> None:
    RunConfig(pairs=choice.pairs)  # its characters
    if choice.pairs and choice.pairs not in sources.NAMED and not sources.HUB_NAME.fullmatch(choice.pairs):
        sources.file_of(choice.pairs)


def _check_run(run: str, data_dir: Path, part: str) -> None:
    if not run:
        return
    run_dir = folders.named(data_dir, run)
    if not os.path.exists(run_dir / part):
        raise UserError(f"there is no run {short(run)} with {part} in {data_dir / 'runs'}.")
    RunConfig.load(run_dir / "config.json")


# In this order, because the name of a preset must be known before anything is made of the other fields.
_TESTS: dict[str, Callable[[Choice, Path], object]] = {
    "preset": lambda choice, _: RunConfig.from_preset(choice.preset),
    "pairs": _check_pairs,
    "run": lambda choice, data_dir: _check_run(choice.run, data_dir, "config.json"),
    "start": lambda choice, data_dir: _check_run(choice.start, data_dir, "model"),
    "map": lambda choice, _: Fields.parse(choice.map),
    "ignore": lambda choice, _: Fields.parse(choice.map, choice.ignore),
}


def remembered(data_dir: Path) -> tuple[Choice, list[str]]:
    """The remembered choice, and why parts of it, or all, are not used; these are as in `Choice()`."""
    choice, faults = Choice(), []
    try:
        found = files.read_json(Path(data_dir) / REMEMBERED, {})
        known = {name: value for name, value in found.items() if name in asdict(choice)}
        if fault := files.misfit(known, dict.fromkeys(known, str)):
            raise UserError(f"{Path(data_dir) / REMEMBERED}: {fault}.")
        choice = replace(choice, **known)
    except FileNotFoundError:
        return choice, []
    except UserError as error:
        return choice, [str(error)]
    while True:
        try:
            check(choice, data_dir)
            return choice, faults
        except UserError as error:
            faults.append(str(error))
            choice = replace(choice, **{error.field: getattr(Choice(), error.field)})


def remember(choice: Choice, data_dir: Path) -> None:
    """Remember a choice; raises `UserError` when it is not valid (see `check`) or cannot be written."""
    check(choice, data_dir)
    path = Path(data_dir) / REMEMBERED
    files.make_parents(path)
    files.write_json(path, asdict(choice), files.PRIVATE)


def keep_upload(name: str, content: bytes, data_dir: Path) -> Path:
    """Write an uploaded file of pairs to `raw/uploads/` of the data folder, unless it is there; returns its path.

    No file is overwritten: another content gets another name. Raises `UserError` for a name that is no file of pairs.
    """
    clean = re.sub(r"[^\w.-]+", "-", name.replace("\\", "/").rpartition("/")[2]).lstrip(".-")
    suffix = next((suffix for suffix in PAIR_SUFFIXES if clean.lower().endswith(suffix)), None)
    if suffix is None:
        raise UserError(f"{short(name)} is no file of pairs: its name must end in {', '.join(PAIR_SUFFIXES)}.")
    stem, folder, number = clean[: -len(suffix)][:80] or "pairs", Path(data_dir) / "raw" / UPLOADS, 1
    path = folder / f"{stem}{suffix}"
    while os.path.lexists(path) and not (path.is_file() and path.read_bytes() == content):
        path, number = folder / f"{stem}-{number + 1}{suffix}", number + 1
    files.make_folder(folder)
    if not os.path.lexists(path):
        files.write_bytes(path, content)
    return path
