"""What runs inside a guest, as its first program: a script, a candidate that answers calls, or its tester.

Guest and host exchange lines of JSON over the guest's standard input and output; what the program prints goes to its
standard error. Values cross as builtins only (`encode`), so nothing that a candidate defines reaches its tests. Imports
the standard library alone.
"""

from __future__ import annotations

import builtins
import io
import json
import sys
from types import ModuleType

from utils.sandbox.values import CannotCross, Opaque, change, decode, encode

# `typing`, `ast` and `traceback` would be a fifth of the time that a guest takes to start; most never need them.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

MAX_SHOWN = 2000


def shown(value: Any) -> str:
    """`repr`, cut; it can fail or be endless."""
    try:
        text = repr(value)
    except BaseException as error:
        text = f"<{type(value).__name__}: its repr raises {type(error).__name__}>"
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def frames(error: BaseException) -> list[tuple[FrameType, int]]:
    """The frames that an error passed, the outermost first, each with its line."""
    passed, entry = [], error.__traceback__
    while entry:
        passed.append((entry.tb_frame, entry.tb_lineno))
        entry = entry.tb_next
    return passed


def failure(error: BaseException) -> dict[str, Any]:
    """An error of the program as name, message and traceback, without the frames of this module."""
    files = ("<program>", "<candidate>", "<prompt>", "<test>")
    places = [(frame.f_code, line) for frame, line in frames(error) if frame.f_code.co_filename in files]
    lines = [f'  File "{code.co_filename}", line {line}, in {code.co_name}\n' for code, line in places[-20:]]
    kinds = [kind.__name__[:80] for kind in type(error).__mro__][:20]
    try:
        arguments = encode(list(error.args))
    except BaseException:
        arguments = None
    texts = {"error": kinds[0], "message": shown_text(error), "traceback": "".join(lines)[-MAX_SHOWN:]}
    return texts | {"kinds": kinds, "arguments": arguments}


def raised(reply: dict[str, Any]) -> Exception:
    """The error of a candidate as its first builtin class; iteration cannot be ended from outside."""
    for name in reply["kinds"]:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind not in (StopIteration, StopAsyncIteration):
            try:
                return kind(*decode(reply["arguments"]))
            except Exception:
                return kind(reply["message"]) if kind is not UnicodeDecodeError else ValueError(reply["message"])
    return RuntimeError(reply["message"])


def namespace(name: str) -> dict[str, Any]:
    """The names of a new module, registered as dataclasses expect it."""
    sys.modules[name] = ModuleType(name)
    return sys.modules[name].__dict__


def deepen() -> None:
    """Use the functools that is written in Python: C code on the stack of a guest overflows it at some 50 calls."""
    sys.modules["_functools"] = None  # ty: ignore[invalid-assignment]
    sys.modules.pop("functools", None)
    import functools  # noqa: F401


def shown_text(error: BaseException) -> str:
    try:
        return str(error)[:MAX_SHOWN]
    except BaseException:
        return "its message cannot be shown"


def script(request: dict, ask: Callable, say: Callable) -> None:
    """Run a program; say the value of its last expression, or the error."""
    import ast

    deepen()
    try:
        tree = ast.parse(request["source"], "<program>")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        names = namespace("__main__")
        exec(compile(tree, "<program>", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "<program>", "eval"), names) if last else None
        say({"value": None if value is None else shown(value)})
    except BaseException as error:
        say(failure(error))


def candidate(request: dict, ask: Callable, say: Callable) -> None:
    """Define a function, then answer calls of it with its value and the arguments as they are afterwards."""
    deepen()
    try:
        names = namespace("candidate")
        exec(compile(request["source"], "<candidate>", "exec"), names)
        function = names[request["entry_point"]]
        reply = '{"ready": true}'
    except BaseException as error:
        say(failure(error))
        return
    while True:
        arguments, named = decode(ask(reply))
        try:
            value = function(*arguments, **named)
            try:
                encoded = {"value": encode(value), "changed": encode([arguments, named])}
                reply = json.dumps(encoded)
            except RecursionError:
                reply = json.dumps({"value": ["opaque", "a value nested too deep"], "changed": None})
        except BaseException as error:
            reply = json.dumps(failure(error))


def tester(request: dict, ask: Callable, say: Callable) -> None:
    """Run the tests against a stand-in for the candidate's function, then say the verdict."""
    sys.stdout = sys.stderr = io.StringIO()
    found: dict[str, Any] = {}
    last: dict[str, Any] = {}
    num_calls, is_passed, is_defined = 0, False, False

    def function(*arguments, **named):
        nonlocal num_calls
        num_calls += 1
        call = ", ".join([*map(shown, arguments), *(f"{name}={shown(value)}" for name, value in named.items())])
        last.clear()
        last["call"] = f"{request['entry_point']}({call})"[:MAX_SHOWN]
        reply = ask({"call": encode([list(arguments), named], is_strict=True)})
        if "error" in reply:
            last["raised"] = {name: reply[name] for name in ("error", "message", "traceback")}
            raise raised(reply)
        value = decode(reply["value"])
        if '["opaque"' in json.dumps(reply["value"]):  # in a text its quotes would be escaped
            name = value.name if isinstance(value, Opaque) else f"{type(value).__name__}, with parts"
            found["apart"] = f"a returned value of type {name} that cannot be passed between guests"
        if reply["changed"] is not None:
            change([list(arguments), named], decode(reply["changed"]))
        last["value"] = value
        return value

    try:
        names = namespace("tests")
        try:
            helpers = compile(request["helpers"], "<prompt>", "exec")
        except SyntaxError:  # a prompt that ends at the signature
            helpers = compile(request["helpers"] + "    pass\n", "<prompt>", "exec")
        exec(helpers, names)
        names[request["entry_point"]] = function
        exec(compile(request["test"], "<test>", "exec"), names)
        check, is_defined = names["check"], True
        check(function)
        is_passed = True
    except CannotCross as error:
        found["apart"] = f"an argument of type {error} that cannot be passed between guests"
    except BaseException as error:
        found |= last.get("raised") or failure(error)
        found |= assertion(error, request["test"], last)
        if not is_defined:
            found["apart"] = f"the task's own code raises {shown_text(error) or type(error).__name__}"
    # Last, so that nothing of the candidate's stands in their place.
    last_call = last.get("call", "")
    say(found | {"nonce": request["nonce"], "passed": is_passed, "num_calls": num_calls, "last_call": last_call})


def assertion(error: BaseException, source: str, last: dict[str, Any]) -> dict[str, str]:
    """The assertion that failed, what the candidate returned, and what it was compared with."""
    in_test = [place for place in frames(error) if place[0].f_code.co_filename == "<test>"]
    if not in_test or not isinstance(error, AssertionError) or "raised" in last:
        return {}
    import ast

    frame, line = in_test[-1]
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
        sys.stderr.flush()
        target.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
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
