"""Calls of a function with the values of its reference solution, and tests made of them."""

import marshal
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice, zip_longest
from typing import Any

from utils.data.basics.arguments import drawn, types
from utils.data.basics.functions import Function
from utils.data.basics.wordings import sentence
from utils.sandbox.judge import Task

NUM_DRAWN = 120
NUM_CALLS = 12  # of a test
MAX_CHARACTERS = 90  # of an example in an instruction
MAX_TEST_CHARACTERS = 300  # of a call with its value
MAX_FLOAT = 1e6  # larger ones differ by more than the tolerance of a test
NUM_COMPARED = 30  # calls that tell two functions apart
# Kinds of one type take the same values there.
SAME = {
    **dict.fromkeys(("Natural", "Numeral", "Year"), "Positive"),
    **dict.fromkeys(("Line", "Lines", "Word", "Bits", "Letter", "Name"), "Text"),
    **dict.fromkeys(("SortedNumbers", "Floats"), "Numbers"),
    "Square": "Matrix",
}


@cache
def calls(function: Function) -> tuple[tuple[tuple[Any, ...], Any], ...]:
    """At most `NUM_CALLS` different calls, as arguments and value: one of each value, then a second one of each …

    Runs the reference solution here, which is this package's own code. Calls for which it raises are left out.
    """
    by_value: dict[str, list[Any]] = {}
    seen = set()
    for arguments, value in _values(function, drawn(function.kinds, NUM_DRAWN, function.name)):
        call = written(function, arguments)
        if call in seen or not _is_fair(value) or len(call) + len(text_of(value)) > MAX_TEST_CHARACTERS:
            continue
        seen.add(call)
        by_value.setdefault(text_of(value), []).append((arguments, value))
        if len(by_value) == NUM_CALLS:
            break
    turns = (call for turn in zip_longest(*by_value.values()) for call in turn if call)
    return tuple(islice(turns, NUM_CALLS))


def behaviour(function: Function) -> str:
    """What the function gives for some calls, whatever its name and the names of its parameters."""
    kinds = tuple(SAME.get(kind, kind) for kind in function.kinds)
    return f"{kinds} " + " ".join(text_of(value) for _, value in _values(function, _compared(kinds)))


@cache
def _compared(kinds: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return list(drawn(kinds, NUM_COMPARED, "compared"))


def _values(function: Function, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Each row of arguments with the value of the reference solution, or with the exception that it raises."""
    run = defined(function)
    for arguments in rows:
        try:
            value = run(*marshal.loads(marshal.dumps(arguments)))  # a copy
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            value = error
        yield arguments, value


@cache
def defined(function: Function) -> Callable[..., Any]:
    """The reference solution, ready to be called."""
    names: dict[str, Any] = {}
    exec(function.source(), names)
    return names[function.name]


def passes(function: Function, other: Function) -> bool:
    """Whether the function passes the test of another one whose arguments have the same Python types."""
    if types(function.kinds) != types(other.kinds):
        return False
    try:
        _check(other)(defined(function))
    except Exception:  # whatever the function does with arguments that it is not made for
        return False
    return True


@cache
def _check(function: Function) -> Callable[[Callable[..., Any]], None]:
    names: dict[str, Any] = {}
    exec(test(function), names)
    return names["check"]


def _is_fair(value: Any) -> bool:
    """Whether every right solution gives this value, although it may differ in the last digits of floats."""
    if isinstance(value, float):
        return abs(value) < MAX_FLOAT
    if isinstance(value, dict | list | set | tuple):
        items = value.values() if isinstance(value, dict) else value
        return all(_is_fair(item) and (not isinstance(item, float) or item == round(item, 3)) for item in items)
    return not isinstance(value, Exception)


def text_of(value: Any) -> str:
    """The value in Python; unlike `repr`, the same in every run and version, also for sets and exceptions."""
    if isinstance(value, set) and value:
        return f"{{{', '.join(map(repr, sorted(value)))}}}"
    if isinstance(value, Exception):
        return type(value).__name__
    return repr(round(value, 9) if isinstance(value, float) else value)


def written(function: Function, arguments: tuple[Any, ...]) -> str:
    return f"{function.name}({', '.join(map(text_of, arguments))})"


def example(function: Function, place: int) -> tuple[str, str]:
    """A short call with its value, for an instruction; every function has one."""
    texts = [(written(function, arguments), text_of(value)) for arguments, value in calls(function)]
    short = [pair for pair in texts if sum(map(len, pair)) <= MAX_CHARACTERS]
    return short[place % len(short)]


def test(function: Function) -> str:
    """`check(candidate)` in HumanEval's form; floats may differ in their last digits."""
    lines = ["def check(candidate):"]
    for arguments, value in calls(function):
        call = written(function, arguments).replace(function.name, "candidate", 1)
        if isinstance(value, float):
            lines.append(f"    assert abs({call} - {text_of(value)}) < 1e-9")
        elif isinstance(value, bool | None):
            lines.append(f"    assert {call} is {value!r}")
        else:
            lines.append(f"    assert {call} == {text_of(value)}")
    return "\n".join(lines) + "\n"


def task(function: Function, task_id: str, instruction: str, phrase: str) -> Task:
    """A task in HumanEval's form, with its own instruction; its prompt is the signature with the phrase below it."""
    prompt = f'{function.header}\n    """{sentence(phrase)}."""\n'
    return Task(task_id, prompt, function.name, test(function), f"{function.indented}\n", instruction)
