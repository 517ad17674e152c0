"""Stage folders, and whether they are up to date.

    data/raw/<source>/      as downloaded            data/tokens/<name>/   token rows
    data/pairs/<name>/      cleaned pairs            data/runs/<name>/     one training run

A stage folder is built in a temporary folder and renamed when it is complete. Its `manifest.json` records what it was
made from (`inputs`), its content (`files`, at any depth, with sha256) and figures about it (`facts`).
"""

import ast
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from utils import files, paths
from utils.config import RunConfig
from utils.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = "manifest.json"
PARTS = ("inputs", "files", "facts", "settings")  # its objects


def slug(name: str) -> str:
    """The last part of a source, path or hub id as a folder name: `bigcode/starcoder` becomes `starcoder`.

    An absolute path also gives the start of its sha256, so that files and models of one name have folders of their own.
    """
    last = re.sub(r"\.(jsonl?|parquet)(\.gz)?$", "", Path(name).name, flags=re.IGNORECASE)
    last = re.sub(r"[^\w.-]+", "-", last[:80]).strip(".-") or "unnamed"
    return f"{last}-{sha256_text(name)[:8]}" if Path(name).is_absolute() else last


def data_dir(given: str = "") -> Path:
    """The data folder of a notebook, absolute: as given, or the workbook's own. Raises `UserError` for a file."""
    folder = paths.resolved(given or ROOT / "data")
    with paths.examining(folder):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"DATA must be a folder; {folder} is a file. Name another one.")
    return folder


def pairs_dir(data_dir: Path, pairs: str) -> Path:
    return Path(data_dir) / "pairs" / slug(pairs)


def tokens_dir(data_dir: Path, config: RunConfig) -> Path:
    """`<pairs>-<model>`, with the template if it is not the default; slugs contain no `+`, so names are unique."""
    template = "" if config.template == RunConfig.template else f"+{config.template}"
    return Path(data_dir) / "tokens" / f"{slug(config.pairs)}-{slug(config.model_name_or_path)}{template}"


def sha256_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def code_sha256(module: str) -> str:
    """One sha256 of the source of a module and of all modules of this package that it imports, also indirectly.

    With imports inside functions. Not covered: `__init__.py`, which has no code here, and other packages.
    """
    sources: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = ROOT / f"{name.replace('.', '/')}.py"
        if name in sources or not path.is_file():
            continue
        sources[name] = path.read_text(encoding="utf-8")
        waiting += _imported(sources[name])
    return sha256_text("".join(f"{name}\n{sources[name]}" for name in sorted(sources)))


@lru_cache(maxsize=256)
def _imported(source: str) -> list[str]:
    """What a source imports with `from`: modules, and names in modules. Parsing all takes a tenth of a second."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return [name for node in nodes for name in (str(node.module), *(f"{node.module}.{one.name}" for one in node.names))]


@contextmanager
def building(folder: Path, inputs: dict[str, str], facts: dict[str, Any]) -> Generator[Path]:
    """Yield an empty folder that, with its manifest, replaces `folder` when the block ends without an error.

    `facts` can be filled inside the block. After an error `folder` is unchanged. A second process waits for the first.
    Raises `UserError` when `folder` was not made here, and for a failed write that the user can fix.
    """
    temporary, replaced = (folder.with_name(f".{folder.name}.{end}") for end in ("tmp", f"{uuid4().hex}.replaced"))
    with files.writing(folder):
        while (descriptor := _locked(temporary, folder)) is None:
            pass
        try:
            _check_replaceable(folder)
            yield temporary
            made = {path: sha256_file(path) for path in sorted(temporary.rglob("*")) if path.is_file()}
            named = {path.relative_to(temporary).as_posix(): digest for path, digest in made.items()}
            files.write_json(temporary / MANIFEST, {"inputs": inputs, "files": named, "facts": facts})
            files.hand_down_mode(temporary)
            _check_replaceable(folder)
            if folder.exists():
                folder.rename(replaced)
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            os.close(descriptor)
        files.remove(replaced)


def _locked(temporary: Path, folder: Path) -> int | None:
    """The descriptor of the temporary folder, empty and locked; None when another process had it, to try again."""
    descriptor = -1
    with suppress(FileNotFoundError):  # renamed or removed by the other process
        files.make_folder(temporary, files.mode_of(folder, is_folder=True) if folder.exists() else None)
        descriptor = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        files.lock(descriptor, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(descriptor), os.lstat(temporary)):
            if not any(temporary.iterdir()):
                return descriptor
            shutil.rmtree(temporary)  # left by a process that was killed
    if descriptor >= 0:
        os.close(descriptor)
    return None


def _check_replaceable(folder: Path) -> None:
    """Raise `UserError` for anything but a stage folder, which has a manifest, an empty folder, and nothing."""
    if not os.path.lexists(folder):
        return
    is_folder = folder.is_dir() and not folder.is_symlink()
    if not is_folder or (any(folder.iterdir()) and not (folder / MANIFEST).exists()):
        kind = f"a folder without {MANIFEST}" if is_folder else "a link or a file"
        raise UserError(f"{folder} is {kind}, so it was not made by this workbook. Move it away, and try again.")


def is_current(folder: Path, inputs: dict[str, str]) -> bool:
    """Whether `folder` was made from `inputs`, and its files are as they were written."""
    manifest = read_manifest(folder)
    return bool(manifest and manifest["files"]) and not changed_files(folder) and not stale_inputs(folder, inputs)


def changed_files(folder: Path) -> list[str]:
    """The names of the files of `folder` that are missing, or not as its manifest records them."""
    recorded = (read_manifest(folder) or {}).get("files", {})
    return [name for name in recorded if not (folder / name).is_file() or sha256_file(folder / name) != recorded[name]]


def read_json(path: Path) -> Any:
    """The content of a JSON file, or None when it is missing or unreadable."""
    try:
        return files.read_json(path, max_bytes=files.MAX_LINES_BYTES)
    except (FileNotFoundError, UserError):
        return None


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a stage folder, or None when it is missing, unreadable, or not one."""
    manifest = read_json(folder / MANIFEST)
    is_good = isinstance(manifest, dict) and all(isinstance(manifest.get(part, {}), dict) for part in PARTS)
    return {part: {} for part in PARTS} | manifest if is_good else None


def stale_inputs(folder: Path, inputs: dict[str, str]) -> list[str]:
    """The names of the inputs that differ from those of `folder`; all of them when it does not exist."""
    recorded = (read_manifest(folder) or {}).get("inputs", {})
    return [name for name in inputs | recorded if inputs.get(name) != recorded.get(name)]


def require(folder: Path, notebook: str) -> dict[str, Any]:
    """The manifest of `folder`; raises `UserError` naming the notebook to run when it is missing."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise UserError(f"{folder} is missing, or has no readable {MANIFEST}. Run notebook {notebook} first.")
    return manifest
