"""What runs inside a guest, as its first program: a script, a candidate that answers calls, or its tester.

Guest and host exchange lines of JSON over the guest's standard input and output; what the program prints goes to its
standard error. Values cross as builtins only (`encode`), so nothing that a candidate defines reaches its tests. Imports
the standard library alone.
"""

import ast
import builtins
import io
import json
import operator
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

MAX_SHOWN, MAX_ITEMS = 2000, 100_000
CONTAINERS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "deque": deque}
TEXTS = {"Decimal": Decimal, "Fraction": Fraction}


class CannotCross(Exception):
    """A value that cannot be rebuilt from builtins."""


class Opaque:
    """Stands in the tester for a value that cannot be rebuilt; equal to nothing else."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"<a value of type {self.name}>"


def encode(value: Any, is_strict: bool = False) -> Any:
    """A value as JSON: type, sign of zero and NaN are kept, subclasses become their builtin base, iterators lists.

    What cannot be rebuilt becomes an `Opaque`; raises `CannotCross` for it if `is_strict`.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return ["float", float.hex(value)]
    if isinstance(value, complex):
        return ["complex", value.real.hex(), value.imag.hex()]
    if isinstance(value, bytes | bytearray):
        return [("bytes" if isinstance(value, bytes) else "bytearray"), value.hex()]
    if isinstance(value, range):
        return ["range", value.start, value.stop, value.step]
    for name, kind in TEXTS.items():
        if isinstance(value, kind):
            return [name, str(value)]
    if isinstance(value, dict):
        return ["dict", [[encode(key, is_strict), encode(item, is_strict)] for key, item in dict.items(value)]]
    for name, kind in CONTAINERS.items():
        if isinstance(value, kind):
            return [name, [encode(item, is_strict) for item in kind.__iter__(value)]]
    if isinstance(value, Iterator) and not is_strict:
        items = [encode(item) for item, _ in zip(value, range(MAX_ITEMS))]  # noqa: B905
        return ["iterator", items]
    if is_strict:
        raise CannotCross(type(value).__name__)
    return ["opaque", type(value).__name__]


def decode(value: Any) -> Any:
    """The value that `encode` wrote."""
    if not isinstance(value, list):
        return value
    name, *parts = value
    if name == "float":
        return float.fromhex(parts[0])
    if name == "complex":
        return complex(*map(float.fromhex, parts))
    if name in ("bytes", "bytearray"):
        return getattr(builtins, name).fromhex(parts[0])
    if name == "range":
        return range(*parts)
    if name in TEXTS:
        return TEXTS[name](parts[0])
    if name == "dict":
        return {decode(key): decode(item) for key, item in parts[0]}
    if name == "opaque":
        return Opaque(str(parts[0]))
    items = [decode(item) for item in parts[0]]
    return iter(items) if name == "iterator" else CONTAINERS[name](items)


def change(old: Any, new: Any) -> Any:
    """A value with what the candidate made of it: mutable values are changed in place, others replaced."""
    if type(old) is not type(new):
        return new
    if isinstance(old, list | deque | tuple):
        items = [change(one, other) for one, other in zip(old, new)]  # noqa: B905
        items += list(new)[len(items) :]
        if isinstance(old, tuple):
            return old if len(items) == len(old) and all(map(operator.is_, items, old)) else new
        old.clear()
        old.extend(items)
    elif isinstance(old, dict):
        items = {key: change(old[key], value) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(items)
    elif isinstance(old, set | bytearray):
        old.clear()
        (old.update if isinstance(old, set) else old.extend)(new)
    else:
        return new
    return old


def shown(value: Any) -> str:
    """`repr`, cut; it can fail or be endless."""
    try:
        text = repr(value)
    except BaseException as error:
        text = f"<{type(value).__name__}: its repr raises {type(error).__name__}>"
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def failure(error: BaseException) -> dict[str, str]:
    """An error of the program as name, message and traceback, without the frames of this module."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename in ("<program>", "<candidate>", "<prompt>", "<test>")
    ]
    lines = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n' for frame in frames[-20:]]
    message = shown_text(error)
    return {"error": type(error).__name__, "message": message, "traceback": "".join(lines)[-MAX_SHOWN:]}


def shown_text(error: BaseException) -> str:
    try:
        return str(error)[:MAX_SHOWN]
    except BaseException:
        return "its message cannot be shown"


def script(request: dict, ask: Callable, say: Callable) -> None:
    """Run a program; say the value of its last expression, or the error."""
    try:
        tree = ast.parse(request["source"], "<program>")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(tree, "<program>", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "<program>", "eval"), names) if last else None
        say({"value": None if value is None else shown(value)})
    except BaseException as error:
        say(failure(error))


def candidate(request: dict, ask: Callable, say: Callable) -> None:
    """Define a function, then answer calls of it with its value and the arguments as they are afterwards."""
    try:
        names: dict[str, Any] = {"__name__": "candidate"}
        exec(compile(request["source"], "<candidate>", "exec"), names)
        function = names[request["entry_point"]]
        reply: dict[str, Any] = {"ready": True}
    except BaseException as error:
        say(failure(error))
        return
    while True:
        arguments, named = decode(ask(reply))
        try:
            value = function(*arguments, **named)
            reply = {"value": encode(value), "arguments": encode([arguments, named])}
        except BaseException as error:
            reply = failure(error)


def tester(request: dict, ask: Callable, say: Callable) -> None:
    """Run the tests against a stand-in for the candidate's function, then say the verdict."""
    verdict: dict[str, Any] = {"nonce": request["nonce"], "passed": False, "num_calls": 0}
    last: dict[str, Any] = {}

    def function(*arguments, **named):
        verdict["num_calls"] += 1
        call = ", ".join([*map(shown, arguments), *(f"{name}={shown(value)}" for name, value in named.items())])
        last.clear()
        last["call"] = f"{request['entry_point']}({call})"[:MAX_SHOWN]
        reply = ask({"call": encode([list(arguments), named], is_strict=True)})
        if "error" in reply:
            last["raised"] = reply
            kind = getattr(builtins, reply["error"], None)
            is_error = isinstance(kind, type) and issubclass(kind, Exception)
            raise (kind if is_error else RuntimeError)(reply["message"])
        value = decode(reply["value"])
        change([list(arguments), named], decode(reply["arguments"]))
        last["value"] = value
        return value

    try:
        names: dict[str, Any] = {"__name__": "tests"}
        exec(compile(request["helpers"], "<prompt>", "exec"), names)
        names[request["entry_point"]] = function
        exec(compile(request["test"], "<test>", "exec"), names)
        names["check"](function)
        verdict["passed"] = True
    except CannotCross as error:
        verdict["apart"] = f"an argument of type {error}"
    except BaseException as error:
        verdict |= last.get("raised") or failure(error)
        verdict |= assertion(error, request["test"], last)
        if isinstance(last.get("value"), Opaque):
            verdict["apart"] = f"a returned value of type {last['value'].name}"
    verdict["last_call"] = last.get("call", "")
    say(verdict)


def assertion(error: BaseException, source: str, last: dict[str, Any]) -> dict[str, str]:
    """The assertion that failed, what the candidate returned, and what it was compared with."""
    frames = [frame for frame in traceback.walk_tb(error.__traceback__) if frame[0].f_code.co_filename == "<test>"]
    if not frames or not isinstance(error, AssertionError) or "raised" in last:
        return {}
    frame, line = frames[-1]
    tests = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
    found = next((node for node in tests if node.lineno <= line <= (node.end_lineno or line)), None)
    if found is None:
        return {}
    facts = {"assertion": (ast.get_source_segment(source, found) or "")[:MAX_SHOWN]}
    if "value" in last:
        facts["got"] = shown(last["value"])
    if isinstance(found.test, ast.Compare) and len(found.test.ops) == 1:
        other = found.test.comparators[0]
        if not any(isinstance(node, ast.Call) for node in ast.walk(other)):  # a call would ask the candidate again
            value = eval(compile(ast.Expression(other), "<test>", "eval"), frame.f_globals, frame.f_locals)
            facts["expected"] = shown(value)
    return facts


def main() -> None:
    """Read the request, and play its role."""
    source, target = sys.stdin, sys.stdout
    sys.stdin, sys.stdout = io.StringIO(), sys.stderr
    sys.set_int_max_str_digits(0)

    def say(message: Any) -> None:
        target.write(json.dumps(message) + "\n")
        target.flush()

    def ask(message: Any) -> Any:
        say(message)
        line = source.readline()
        if not line:
            raise SystemExit
        answer = json.loads(line)
        return answer["call"] if isinstance(answer, dict) and "call" in answer else answer

    request = json.loads(source.readline())
    {"script": script, "candidate": candidate, "tester": tester}[request["role"]](request, ask, say)


if __name__ == "__main__":
    main()
