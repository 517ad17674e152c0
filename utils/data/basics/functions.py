"""A small function with the phrases that ask for it, and the everyday ones, read from the tables of this package."""

import ast
from dataclasses import dataclass
from pathlib import Path

TABLES, TRAINED, HELD_OUT = Path(__file__).with_name("tables"), "on_*.py", "held_out_*.py"


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

    @property
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
    """The everyday functions of the tables with these names: `TRAINED`, or `HELD_OUT`, which are only asked for."""
    return tuple(function for path in sorted(TABLES.glob(tables)) for function in _table(path))


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
    phrases = tuple((ast.get_docstring(node) or "").split("\n"))
    return Function(node.name, parameters, phrases, body, "\n".join(needed))
