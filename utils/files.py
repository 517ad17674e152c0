"""Files and folders below `data/`: written atomically, private by default, never through symbolic links.

New files and folders inherit the permissions of their folder. The data folder and its stage folders start as `PRIVATE`;
after `chmod g+rx data/runs` new runs are readable for the group. Existing files keep their mode. Not covered: a folder
replaced by a link between check and write.
"""

import errno
import fcntl
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

from utils.errors import UserError, short

PRIVATE = 0o700
MAX_RECORD_BYTES = 2**20  # of a small JSON file, such as a run's settings
MAX_LINES_BYTES = 2**27  # of a file of JSON lines
NUMBER = int | float
MAX_NUMBER = 1e39  # above the largest float32
_GONE = "its folder is gone, or never existed. Correct the path, or create the folder"
# Errors of writing that the user can fix, and what to do.
REMEDIES = {
    errno.ENOSPC: "the disk is full, or has no inodes left (df -h, df -i). Free some space",
    errno.EDQUOT: "your quota is used up. Free some space, or ask for more",
    errno.EFBIG: "it would be larger than a process may write here (ulimit -f). Raise the limit",
    errno.EROFS: "the file system is read-only. Mount it for writing, or use another data folder",
    errno.EACCES: "you have no permission. Change the permissions, or use another data folder",
    errno.EPERM: "you have no permission. Change the permissions, or use another data folder",
    errno.ENOENT: _GONE,
    errno.ENOTDIR: _GONE,
    errno.ESTALE: _GONE,
}


def explained(error: Exception, path: Path) -> UserError | None:
    """A failed write as a `UserError` that says what to do, with the error's own path or `path`; None for others."""
    if isinstance(error, UserError) and isinstance(error.__cause__, OSError):  # `writing` explained it
        return error
    number, name = getattr(error, "errno", None), str(getattr(error, "filename", None) or path)
    if found := re.search(r"\(os error (\d+)\)", str(error)):  # safetensors has only the text
        number = int(found[1])
    if number not in REMEDIES or (number == errno.ENOENT and path.parent.exists()):
        return None
    return UserError(f"{name} cannot be opened or written: {REMEDIES[number]}, and try again.")


@contextmanager
def writing(path: Path) -> Generator[None]:
    """In the block, raise `UserError` for a failed write that the user can fix."""
    try:
        yield
    except OSError as error:
        if explanation := explained(error, path):
            raise explanation from error
        raise


def lock(file: IO | int, operation: int) -> None:
    """`flock` a file or folder; raises `BlockingIOError` when another process holds it, `UserError` without locks."""
    try:
        fcntl.flock(file, operation)
    except BlockingIOError:
        raise
    except OSError as error:
        raise UserError(
            f"{getattr(file, 'name', 'The folder')} cannot be locked ({error.strerror}), so two processes could write "
            "the same files. Use a data folder on storage with file locks (flock), such as a local disk."
        ) from error


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file; raises `UserError` when it is larger or cannot be read, unless it is missing."""
    try:
        with open(path, "rb", opener=opener) as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > max_bytes:
        raise UserError(f"{path} is larger than {max_bytes:,} bytes, the most that is read. Move it away.")
    return content


def read_json(path: Path, wanted: Any = None, max_bytes: int = MAX_RECORD_BYTES) -> Any:
    """A JSON file whose content is as `wanted` (see `misfit`); raises `UserError` when it is not, as `read_bytes`."""
    try:
        value = json.loads(read_bytes(path, max_bytes))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}. Correct it, or move it away.") from error
    if wanted is not None and (fault := misfit(value, wanted)):
        raise UserError(f"{path}: {fault}. Correct it, or move it away.")
    return value


def misfit(value: Any, wanted: Any, name: str = "the content") -> str:
    """How a value from JSON differs from the `wanted` type, [type of its elements] or {field: type}, or "".

    Numbers must be finite and at most `MAX_NUMBER`. Other fields are allowed.
    """
    if isinstance(wanted, dict) and isinstance(value, dict):
        parts = [(value.get(field), kind, repr(field)) for field, kind in wanted.items()]
    elif isinstance(wanted, list) and isinstance(value, list):
        parts = [(item, wanted[0], f"element {number} of {name}") for number, item in enumerate(value)]
    else:
        kind = type(wanted) if isinstance(wanted, dict | list) else wanted
        is_infinite = isinstance(value, NUMBER) and not abs(value) <= MAX_NUMBER
        if isinstance(value, kind) and not is_infinite and (kind is bool or not isinstance(value, bool)):
            return ""
        return f"{name} must be of type {getattr(kind, '__name__', kind)}, got {short(value)}"
    return next(filter(None, (misfit(*part) for part in parts)), "")


def mode_of(path: Path, is_folder: bool = False) -> int:
    """The mode of a file or folder, or the mode to create it with."""
    with suppress(FileNotFoundError):
        own = os.lstat(path).st_mode
        if stat.S_ISDIR(own) if is_folder else stat.S_ISREG(own):
            return stat.S_IMODE(own)
    around = os.stat(path.parent).st_mode
    if around & stat.S_ISVTX:  # shared by all users, such as /tmp
        around = PRIVATE
    # Folders inherit the setgid bit; the owner can always read and write.
    return (around | PRIVATE) & (0o2777 if is_folder else 0o666)


def make_parents(path: Path) -> None:
    """Create the missing parent folders of a file or folder as private ones."""
    for folder in reversed(path.parents):
        if not folder.exists():  # an existing one may be a link, for example to a larger disk
            make_folder(folder, PRIVATE)


def make_folder(folder: Path, mode: int | None = None) -> None:
    """Create a folder and its parents if necessary, with the mode of its parent, or `mode`.

    Raises `UserError` for a symbolic link or a file of this name.
    """
    with writing(folder):
        make_parents(folder)
        mode = mode_of(folder, is_folder=True) if mode is None else mode
        try:
            folder.mkdir(PRIVATE)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(folder).st_mode):
                raise _refused(folder, "a folder") from None
        else:
            _set_mode(folder, mode)


def private_folder() -> Path:
    """A private folder for temporary files; raises `UserError` when others can open or replace it."""
    folder = Path(tempfile.gettempdir()) / f"workbook-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(PRIVATE)
    found, around = folder.lstat(), folder.parent.stat().st_mode
    is_replaceable = around & 0o022 and not around & stat.S_ISVTX
    if is_replaceable or not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UserError(
            f"{folder} is not a folder that only you can open and replace: remove it, or set TMPDIR to one of your own."
        )
    return folder


def hand_down_mode(folder: Path) -> None:
    """Give everything in a folder, as libraries wrote it, the permissions of the folder."""
    around = mode_of(folder, is_folder=True)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            _set_mode(path, around & (0o2777 if path.is_dir() else 0o666))


def remove(path: Path) -> None:
    """Delete a file, a folder with its content, or a link (not its target), if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def unlink(path: Path) -> None:
    """Delete a file or link, if it exists; raises `UserError` for a folder."""
    with writing(path):
        if path.is_dir() and not path.is_symlink():
            raise _refused(path)
        path.unlink(missing_ok=True)


def opener(path: str | Path, flags: int, mode: int | None = None) -> int:
    """For `open(…, opener=opener)`: opens only regular files, and creates them with the inherited mode, or `mode`.

    Raises `UserError` for symbolic links, folders, and files that block, such as named pipes; for writing also for hard
    links.
    """
    path, is_new, is_written = Path(path), bool(flags & os.O_CREAT), flags & (os.O_WRONLY | os.O_RDWR)
    if is_new:
        mode = mode_of(path) if mode is None else mode & 0o666
    existing = flags & ~(os.O_CREAT | os.O_TRUNC) | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        try:
            descriptor = os.open(path, existing | (os.O_CREAT | os.O_EXCL if is_new else 0), 0o600)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
            descriptor, is_new = os.open(path, existing), False
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _refused(path) from None
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or is_written and found.st_nlink > 1:
        os.close(descriptor)
        raise _refused(path)
    if is_new and mode is not None:
        _set_mode(descriptor, mode)
    if flags & os.O_TRUNC:
        os.truncate(descriptor, 0)
    return descriptor


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Generator[BinaryIO]:
    """A binary file that replaces `path` when the block ends without an error; a link itself is replaced.

    Not covered: concurrent writers of the same path.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with writing(path):
        unlink(temporary)
        try:
            with open(temporary, "xb", opener=partial(opener, mode=mode_of(path) if mode is None else mode)) as file:
                yield file
            os.replace(temporary, path)
        except BaseException as error:
            with suppress(OSError):
                temporary.unlink()
            if isinstance(error, IsADirectoryError):
                raise _refused(path) from None
            raise


def write_bytes(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file atomically."""
    with replacing(path, mode) as file:
        file.write(content)


def write_text(path: Path, text: str, mode: int | None = None) -> None:
    """Write a file in UTF-8 atomically."""
    write_bytes(path, text.encode(), mode)


def write_json(path: Path, value: Any, mode: int | None = None) -> None:
    """Write JSON atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", mode)


def append_line(path: Path, line: str, keep_unfinished: bool = False, mode: int | None = None) -> None:
    """Append a whole line or, after an error, nothing; a partial last line, which a crash left, is removed first.

    With `keep_unfinished` that line is ended instead: it may be complete, and written by hand. Not covered: concurrent
    writers of the same file.
    """
    with writing(path), open(path, "ab+", buffering=0, opener=partial(opener, mode=mode)) as file:
        file.seek(max(file.tell() - 1, 0))
        if file.read() not in (b"", b"\n"):
            if keep_unfinished:
                line = "\n" + line
            else:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        size, content = file.seek(0, os.SEEK_END), line.encode() + b"\n"
        try:
            while content:  # a full disk takes a part, then raises
                content = content[file.write(content) :]
        except OSError:
            file.truncate(size)
            raise


def _set_mode(target: Path | int, mode: int) -> None:
    with suppress(OSError):  # a file system without modes
        os.chmod(target, mode)


def _refused(path: Path, wanted: str = "a file") -> UserError:
    kinds = {"a symbolic link": path.is_symlink(), "a folder": path.is_dir(), "a hard link": path.is_file()}
    kind = next((kind for kind, is_so in kinds.items() if is_so), "neither a file nor a folder")
    return UserError(f"{path} is {kind}, expected {wanted}. Move it away, or copy it, and try again.")
