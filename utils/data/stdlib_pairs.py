"""Instruction pairs made from the functions of Python's standard library and their docstrings."""

import ast
import copy
import os
import re
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path

from utils import artifacts
from utils.errors import UserError

# Not read: tests, other packages, programs, tables, Tk (not installed everywhere, and nearly every method is one call
# into Tcl), and local additions.
SKIPPED = {
    *("test", "tests", "idle_test", "site-packages", "dist-packages", "ensurepip", "sitecustomize", "usercustomize"),
    *("idlelib", "turtledemo", "lib2to3", "encodings", "pydoc_data", "tkinter", "lib-dynload", "__pycache__"),
}
# Longer functions teach a small model little.
MAX_LINES, MAX_CHARACTERS = 40, 1500
MAX_DESCRIPTION_CHARACTERS = 400

Function = ast.FunctionDef | ast.AsyncFunctionDef


def standard_library() -> Iterator[dict[str, str]]:
    """Two pairs for every function of the standard library that has a real docstring and a real body.

    One asks to write the function; the other, chosen by a hash of its name, to explain it or to complete it. Keys:
    instruction, input, response, kind (write, explain or complete) and origin (the module). The same interpreter gives
    the same pairs in the same order. Not covered: functions inside functions, and modules written in C.
    """
    for module, path in modules():
        with tokenize.open(path) as file:  # decodes as the interpreter would
            text = file.read()
        lines = text.split("\n")
        for class_name, node in _functions(ast.parse(text).body):
            for pair in _function_pairs(f"{module}.{class_name}.{node.name}", class_name, node, lines):
                yield {**pair, "origin": module}


def modules() -> list[tuple[str, Path]]:
    """Name and file of the standard library's modules, by name."""
    root = Path(sysconfig.get_paths()["stdlib"])
    modules = []
    for folder, folders, names in os.walk(root):
        folders[:] = set(folders) - SKIPPED  # skipped folders are not entered
        for path in (Path(folder, name) for name in names if name.endswith(".py")):
            parts = path.relative_to(root).with_suffix("").parts
            # Other names are scripts or build settings.
            if all(map(str.isidentifier, parts)) and path.stem not in SKIPPED:
                modules.append((".".join(parts).removesuffix(".__init__"), path))
    if not modules:
        raise UserError(f"no Python source in {root}. Install this Python with its standard library as .py files.")
    return sorted(modules)


def _functions(body: list[ast.stmt], class_name: str = "") -> Iterator[tuple[str, Function]]:
    """The functions of a module and the methods of its classes, also below `if` and `try`."""
    for node in body:
        if isinstance(node, Function):
            yield class_name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, node.name)
        elif isinstance(node, ast.If | ast.Try):
            yield from _functions([*node.body, *node.orelse], class_name)


def _function_pairs(name: str, class_name: str, node: Function, lines: list[str]) -> Iterator[dict[str, str]]:
    """The pairs of one function; none when its docstring says too little or its source cannot be separated."""
    description = _description(ast.get_docstring(node) or "")
    if not description or all(_is_stub(statement) for statement in node.body[1:]):
        return
    docstring, body = node.body[0], node.body[1:]
    source = _dedented(lines[docstring.lineno - 1 : node.end_lineno], node.col_offset)
    num_docstring_lines = _end(docstring) - docstring.lineno + 1
    if source is None or body[0].lineno == _end(docstring):
        return
    header = _header(node)
    function = "\n".join([header, *_without_blank_start(source[num_docstring_lines:])])
    if function.count("\n") >= MAX_LINES or len(function) > MAX_CHARACTERS:
        return
    what = f"method of the Python class `{class_name}`" if class_name else "Python function"
    # The signature ends the instruction: always at the same place, next to the response.
    yield _pair("write", f"Write this {what}. {description}\n\n{header}", "", function)
    half = len(body) // 2
    if int(artifacts.sha256_text(name), 16) % 2 and half and body[half].lineno > _end(body[half - 1]):
        num_given = _end(body[half - 1]) - docstring.lineno + 1
        given, rest = "\n".join([header, *source[:num_given]]), "\n".join(_without_blank_start(source[num_given:]))
        if len(given) + len(rest) <= MAX_CHARACTERS:
            yield _pair("complete", f"Complete this {what}.", given, rest)
            return
    yield _pair("explain", f"Explain what this {what} does.", function, description)


def _pair(kind: str, instruction: str, input: str, response: str) -> dict[str, str]:
    return {"instruction": instruction, "input": input, "response": response, "kind": kind}


def _end(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno


def _header(node: Function) -> str:
    """Decorators and signature, on one line: the same text in instruction and response."""
    bare = copy.copy(node)
    bare.body = []
    return ast.unparse(bare).strip()


def _description(docstring: str) -> str:
    """The sentences that begin a docstring, one paragraph per line; empty when it begins with none."""
    paragraphs, num_characters = [], 0
    for block in docstring.strip().split("\n\n"):
        paragraph = " ".join(block.split())
        num_characters += len(paragraph)
        is_prose = paragraph[:1].isupper() and not re.search(r"\n[ *-]|>>>|->|--|[:,]$|[:@]param", block)
        is_sentence = paragraph.endswith((".", "!", "?"))
        # One-line docstrings often lack the full stop; later paragraphs without one are headings or tables.
        if not is_prose or (paragraphs and not is_sentence) or num_characters > MAX_DESCRIPTION_CHARACTERS:
            break
        paragraphs.append(paragraph if is_sentence else paragraph + ".")
    says_something = paragraphs and len(re.findall(r"[A-Za-z]{2,}", paragraphs[0])) >= 3
    return "\n\n".join(paragraphs) if says_something else ""


def _is_stub(statement: ast.stmt) -> bool:
    return ast.unparse(statement).startswith(("pass", "...", "raise NotImplementedError"))


def _dedented(lines: list[str], num_columns: int) -> list[str] | None:
    """The lines without their first columns; None when one of them has text there."""
    return None if any(line[:num_columns].strip() for line in lines) else [line[num_columns:] for line in lines]


def _without_blank_start(lines: list[str]) -> list[str]:
    first = next(number for number, line in enumerate(lines) if line.strip())
    return lines[first:]
