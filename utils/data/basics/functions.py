"""A small function with the phrases that ask for it, and the everyday ones, read from the tables of this package."""

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

FOLDER = Path(__file__).parent
TRAINED, MORE, HELD_OUT = "tables/on_*.py", "more_tables/*_[0-9].py", "tables/held_out_*.py"
PHRASES = FOLDER / "phrases.txt"  # more of them for functions of `TRAINED`


@dataclass(frozen=True)
class Function:
    """A reference solution; `phrases` ask for it in the imperative, the last one is kept for testing."""

    name: str
    parameters: tuple[tuple[str, str], ...]  # with their kinds
    phrases: tuple[str, ...]
    body: str  # not indented
    imports: str = ""

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(name for name, _ in self.parameters)})"

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        return tuple(kind for _, kind in self.parameters)

    @property
    def header(self) -> str:
        """The imports and the first line."""
        return f"{self.imports}\n\n\n" * bool(self.imports) + f"def {self.signature}:"

    @property
    def indented(self) -> str:
        return "\n".join(f"    {line}" if line else "" for line in self.body.split("\n"))

    def source(self) -> str:
        """The function as Python, with its imports."""
        return f"{self.header}\n{self.indented}"


def everyday(tables: str) -> tuple[Function, ...]:
    """The everyday functions of some tables: `TRAINED`; `MORE`, which are only trained; `HELD_OUT`, only asked for."""
    return tuple(function for path in sorted(FOLDER.glob(tables)) for function in _table(path))


@cache
def _more_phrases() -> dict[str, list[str]]:
    """By the name of the function; a block of the file is a name and its phrases, one in a line."""
    blocks = (block.split("\n") for block in PHRASES.read_text(encoding="utf-8").strip().split("\n\n"))
    return {name: [phrase.strip() for phrase in phrases] for name, *phrases in blocks}


def _table(path: Path) -> list[Function]:
    text = path.read_text(encoding="utf-8")
    lines, tree = text.split("\n"), ast.parse(text)
    imports = [
        (alias.asname or alias.name, ast.unparse(node))
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and "utils." not in ast.unparse(node)
        for alias in node.names
    ]
    return [_read(node, lines, imports) for node in tree.body if isinstance(node, ast.FunctionDef)]


def _read(node: ast.FunctionDef, lines: list[str], imports: list[tuple[str, str]]) -> Function:
    parameters = tuple((one.arg, one.annotation.id) for one in node.args.args if isinstance(one.annotation, ast.Name))
    body = "\n".join(line[4:] for line in lines[node.body[1].lineno - 1 : node.end_lineno])
    used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    needed = dict.fromkeys(statement for name, statement in imports if name in used)
    *phrases, last = (ast.get_docstring(node) or "").split("\n")
    phrases = dict.fromkeys((*phrases, *_more_phrases().get(node.name, ())))
    return Function(node.name, parameters, (*phrases, last), body, "\n".join(needed))
