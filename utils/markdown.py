"""Text in Markdown, shown as it is: tables, lists and blocks of code."""

import re
from collections.abc import Mapping, Sequence

from utils.errors import masked, visible


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown, its cells as plain text."""
    lines = [columns, [":---"] * len(columns), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(values: Mapping[str, str]) -> str:
    return "\n".join(f"- **{name}:** {text}" for name, text in values.items())


def plain(text: object) -> str:
    """Text on one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|$~])", r"\\\1", one_line(str(text)))


def prose(text: str) -> str:
    """Paragraphs that Markdown shows as they are."""
    return "\n\n".join(plain(paragraph) for paragraph in re.split(r"\n\s*\n", text.strip()))


def one_line(text: str) -> str:
    """Text of a file as one line without control characters and credentials."""
    return visible(masked(" ".join(text.split())))


def code(text: str) -> str:
    return f"`{one_line(text).replace('`', chr(39))}`"


def fenced(text: str, language: str = "") -> str:
    """Text as a block of code, whatever it contains: between more backticks than any run of them in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{visible(text)}\n{fence}"
