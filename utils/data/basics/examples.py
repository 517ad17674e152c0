"""Calls of a function with the values of its reference solution, and tests made of them."""

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

from utils.data.basics.arguments import drawn
from utils.data.basics.functions import Function
from utils.sandbox.judge import Task

NUM_DRAWN = 60
NUM_CALLS = 10  # of a test
MAX_CHARACTERS = 90  # of an example in an instruction
MAX_TEST_CHARACTERS = 300  # of a call with its value
NUM_COMPARED = 30  # calls that tell two functions apart
# Kinds of one type take the same values there.
SAME = {
    **dict.fromkeys(("Natural", "Year"), "Positive"),
    **dict.fromkeys(("Line", "Lines", "Word", "Bits", "Letter", "Name"), "Text"),
    **dict.fromkeys(("SortedNumbers", "Floats"), "Numbers"),
    **dict.fromkeys(("Square",), "Matrix"),
}


@cache
def calls(function: Function, number: int = NUM_CALLS) -> tuple[tuple[tuple[Any, ...], Any], ...]:
    """At most `number` calls, as arguments and value: first those whose values differ, then others.

    Runs the reference solution here, which is this package's own code. Calls for which it raises are left out.
    """
    fresh, seen, others = [], set(), []
    for arguments, value in _values(function, drawn(function.kinds, NUM_DRAWN, function.name)):
        if isinstance(value, Exception) or len(repr((arguments, value))) > MAX_TEST_CHARACTERS:
            continue
        (others if repr(value) in seen else fresh).append((arguments, value))
        seen.add(repr(value))
    # A predicate has two values: calls for each of them in turn.
    return tuple([*fresh, *others][:number])


def behaviour(function: Function) -> str:
    """What the function gives for some calls, whatever its name and the names of its parameters."""
    kinds = tuple(SAME.get(kind, kind) for kind in function.kinds)
    return f"{kinds} " + " ".join(repr(value) for _, value in _values(function, drawn(kinds, NUM_COMPARED, "compared")))


def _values(function: Function, rows: list[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Each row of arguments with the value of the reference solution, or with the exception that it raises."""
    names: dict[str, Any] = {}
    exec(function.source(), names)
    for arguments in rows:
        try:
            value = names[function.name](*copy.deepcopy(arguments))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            value = error
        yield arguments, value


def written(function: Function, arguments: tuple[Any, ...]) -> str:
    return f"{function.name}({', '.join(map(repr, arguments))})"


def example(function: Function, place: int) -> tuple[str, str] | None:
    """A short call with its value, for an instruction."""
    texts = [(written(function, arguments), repr(value)) for arguments, value in calls(function)]
    short = [pair for pair in texts if sum(map(len, pair)) <= MAX_CHARACTERS]
    return short[place % len(short)] if short else None


def test(function: Function) -> str:
    """`check(candidate)` in HumanEval's form; floats may differ in their last digits."""
    lines = ["def check(candidate):"]
    for arguments, value in calls(function):
        call = written(function, arguments).replace(function.name, "candidate", 1)
        if isinstance(value, float):
            lines.append(f"    assert abs({call} - {value!r}) < 1e-9")
        elif isinstance(value, bool | None):
            lines.append(f"    assert {call} is {value!r}")
        else:
            lines.append(f"    assert {call} == {value!r}")
    return "\n".join(lines) + "\n"


def task(function: Function, task_id: str, instruction: str, phrase: str) -> Task:
    """A task in HumanEval's form, with its own instruction; its prompt is the signature with the phrase below it."""
    prompt = f"{function.imports}\n\n\n" * bool(function.imports)
    prompt += f'def {function.signature}:\n    """{phrase[:1].upper()}{phrase[1:]}."""\n'
    solution = "\n".join(f"    {line}" if line else "" for line in function.body.split("\n")) + "\n"
    return Task(task_id, prompt, function.name, test(function), solution, instruction)
