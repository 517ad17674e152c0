"""Values that cross between guests as JSON: rebuilt builtins only, with their types. Imports the standard library."""

from __future__ import annotations

import builtins
import operator
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

TYPE_CHECKING = False  # see `inside`
if TYPE_CHECKING:
    from typing import Any

MAX_ITEMS = 100_000
MAX_PLAIN_BITS = 10_000  # JSON readers refuse integers with thousands of digits
CONTAINERS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "deque": deque}
MAPPINGS = {"dict": dict, "Counter": Counter, "OrderedDict": OrderedDict}
TEXTS = {"Decimal": Decimal, "Fraction": Fraction}
# Values of exactly these types cross as they are; in arguments no others do.
EXACT = (
    *(type(None), bool, int, str, float, complex, bytes, bytearray, range),
    *(*TEXTS.values(), *CONTAINERS.values()),
)


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
    builtin = next((kind for kind in (*MAPPINGS.values(), *EXACT) if type(value) is kind), None)
    if is_strict and builtin is None:
        raise CannotCross(type(value).__name__)
    if isinstance(value, int):
        plain = int.__int__(value)
        return plain if plain.bit_length() < MAX_PLAIN_BITS else ["int", hex(plain)]
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
        name = next((name for name, kind in MAPPINGS.items() if type(value) is kind), "dict")
        return [name, [[encode(key, is_strict), encode(item, is_strict)] for key, item in dict.items(value)]]
    for name, kind in CONTAINERS.items():
        if isinstance(value, kind):
            return [name, [encode(item, is_strict) for item in kind.__iter__(value)]]
    if isinstance(value, Iterator):
        items = [encode(item) for item, _ in zip(value, range(MAX_ITEMS))]  # noqa: B905
        return ["iterator", items] if len(items) < MAX_ITEMS else ["opaque", "a very long iterator"]
    return ["opaque", type(value).__name__]


def decode(value: Any) -> Any:
    """The value that `encode` wrote."""
    if not isinstance(value, list):
        return value
    name, *parts = value
    if name == "int":
        return int(parts[0], 16)
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
    if name in MAPPINGS:
        return MAPPINGS[name]({decode(key): decode(item) for key, item in parts[0]})
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
