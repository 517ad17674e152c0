"""Paths as they are given: made absolute, and examined, with `UserError` for what cannot be a path here."""

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from utils.errors import UserError, short


@contextmanager
def examining(path: str | Path) -> Generator[None]:
    """In the block, raise `UserError` for a path that cannot be resolved, examined or read."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # also of an unknown `~user`, circles of links, and NUL
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{short(str(path))} cannot be used: {reason}. Correct the path, or its permissions."
        ) from error


def resolved(path: str | Path) -> Path:
    """An absolute path with `~` and links resolved; raises `UserError` when that is impossible."""
    with examining(path):
        return Path(path).expanduser().resolve()


def absolute(path: str | Path) -> Path:
    """As `resolved`, but with the last name as given: that of a link may be all that says what a file is."""
    return resolved(Path(path).parent) / Path(path).name


def own_folders(*folders: Path) -> re.Pattern:
    """Finds paths below the home folder, the workbook, its Python, or `folders`: they say whose machine this is."""
    known = {Path.home(), Path(__file__).parents[1], Path(sys.prefix), *folders}
    names = {str(path) for folder in known for path in (folder, folder.resolve()) if len(path.parts) > 1}
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![\w.~-])(?:{longest_first})(?![\w.-])")
