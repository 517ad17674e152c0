"""Files and folders below `data/`: written whole, the user's alone unless set otherwise, and never through a link.

What is new is open to those that the folder around it is open to. The data folder and the folders of its stages begin
as the user's alone (`PRIVATE`), so everything does; after `chmod g+rx data/runs` runs that are made are open to the
group. What is there keeps its mode. Not covered: a folder exchanged for a link between the check and the write.
"""

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from utils.errors import UserError

PRIVATE = 0o700


def mode_of(path: Path, is_folder: bool = False) -> int:
    """The mode that a file or folder has, or else the one it is to be made with."""
    with suppress(FileNotFoundError):
        own = os.lstat(path).st_mode
        if stat.S_ISDIR(own) if is_folder else stat.S_ISREG(own):
            return stat.S_IMODE(own)
    around = os.stat(path.parent).st_mode
    if around & stat.S_ISVTX:  # a place shared by all users, such as /tmp
        around = PRIVATE
    # A folder hands down the bit that hands down its group; what is made here can be read and written here.
    return (around | PRIVATE) & (0o2777 if is_folder else 0o666)


def make_parents(path: Path) -> None:
    """Make the folders that are missing above a file or folder; they begin as the user's alone."""
    for folder in reversed(path.parents):
        if not folder.exists():  # one that exists may be a link, to a larger disk perhaps
            make_folder(folder, PRIVATE)


def make_folder(folder: Path, mode: int | None = None) -> None:
    """Make a folder where there is none, with the mode of the one it lies in, or `mode`, and its parents.

    Raises `UserError` for a link or a file of this name.
    """
    make_parents(folder)
    mode = mode_of(folder, is_folder=True) if mode is None else mode
    try:
        folder.mkdir(PRIVATE)
    except FileExistsError:
        if folder.is_symlink() or not folder.is_dir():
            raise _refused(folder, "a folder") from None
    else:
        _set_mode(folder, mode)


def private_folder() -> Path:
    """A folder for temporary files that only this user can open; raises `UserError` when it is not that."""
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
    """Open all that is in a folder, as libraries wrote it by this process's umask, to those the folder is open to."""
    around = mode_of(folder, is_folder=True)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            _set_mode(path, around & (0o2777 if path.is_dir() else 0o666))


def remove(path: Path) -> None:
    """Delete a file, a folder with all that is in it, or a link, but not what it leads to; nothing where none is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def opener(path: str | Path, flags: int, mode: int | None = None) -> int:
    """For `open(…, opener=opener)`: opens nothing but a regular file, and makes it with its mode, or `mode`.

    Raises `UserError` for a link, a folder, and what would block, such as a named pipe; for writing also for a file
    that has another name besides.
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
    """A binary file that becomes `path`, whole, when the block ends without an error; a link is replaced itself.

    Not covered: two that write the same path at once.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with open(temporary, "xb", opener=partial(opener, mode=mode_of(path) if mode is None else mode)) as file:
            yield file
        os.replace(temporary, path)
    except IsADirectoryError as error:
        raise _refused(Path(error.filename2 or error.filename)) from None


def write_bytes(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file, whole or not at all."""
    with replacing(path, mode) as file:
        file.write(content)


def write_text(path: Path, text: str, mode: int | None = None) -> None:
    """Write a file in UTF-8, whole or not at all."""
    write_bytes(path, text.encode(), mode)


def write_json(path: Path, value: Any, mode: int | None = None) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", mode)


def append_line(path: Path, line: str, keep_unfinished: bool = False, mode: int | None = None) -> None:
    """Add a line, in one write. A last line without its end, which a crash or a full disk left, is cut off first.

    With `keep_unfinished` it is ended instead: it may be whole, and written by hand. Not covered: several processes
    that append to the same file.
    """
    with open(path, "ab+", opener=partial(opener, mode=mode)) as file:
        file.seek(max(file.tell() - 1, 0))
        if file.read() not in (b"", b"\n"):
            if keep_unfinished:
                line = "\n" + line
            else:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line.encode() + b"\n")


def _set_mode(target: Path | int, mode: int) -> None:
    with suppress(OSError):  # a file system without modes
        os.chmod(target, mode)


def _refused(path: Path, wanted: str = "a file") -> UserError:
    kinds = {"a link": path.is_symlink(), "a folder": path.is_dir(), "a file that has another name": path.is_file()}
    kind = next((kind for kind, is_so in kinds.items() if is_so), "neither a file nor a folder")
    return UserError(f"{path} is {kind}, expected {wanted} of its own. Move it away, or copy it, and try again.")
