"""The kinds of arguments that the functions of this package take, and how values are drawn for their tests."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, get_origin

Number = int  # of either sign
Natural = int  # from 0
Numeral = int  # from 0, with up to five digits
Positive = int  # from 1
Year = int
Float = float
Numbers = list[int]
Floats = list[float]
SortedNumbers = list[int]
Bits = str  # of 0 and 1
Text = str  # words, some with capitals, digits and punctuation
Line = str  # lower-case words separated by one space
Lines = str  # several lines
Word = str
Letter = str
Words = list[str]
Items = list[Any]  # numbers or words, some of them repeated
Flags = list[bool]
Lists = list[list[int]]
Matrix = list[list[int]]  # rows of equal length, at least one
Square = list[list[int]]  # as many rows as columns
Points = list[tuple[int, int]]
Scores = dict[str, int]
Labels = dict[str, str]
Groups = dict[str, list[int]]
Records = list[dict[str, Any]]  # with the keys name, age and city
Entries = list[tuple[str, int]]
NumberSet = set[int]
Name = str  # often a key of the dictionary before it

WORDS = (
    "apple", "banana", "cherry", "date", "egg", "fig", "level", "noon", "stone", "tree", "Anna", "Bob", "kayak", "sky",
    "a", "I", "python", "Code", "river", "listen", "silent", "moon", "zoo", "area", "rhythm", "Otto", "NASA", "blue",
    "bread",
)  # fmt: skip
TEXTS = (
    "Hello, World!",
    "The quick brown fox",
    "a1b2c3",
    "Room 101, floor 7",
    "  two  spaces ",
    "UPPER lower",
    "12 + 30",
    "A man a plan a canal Panama",
    "never odd or even",
    "one two two three three three",
    "Wow! Is it 7:30?",
    "tab-by-tab",
)
NAMES = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Finn")
CITIES = ("Rome", "Oslo", "Lima")


def _some(draw: random.Random, one: Callable[[], Any], low: int = 0, high: int = 8) -> list[Any]:
    return [one() for _ in range(draw.randint(low, high))]


def _number(draw: random.Random) -> int:
    return draw.choice([draw.randint(-12, 12), draw.randint(-150, 150), draw.randint(0, 30)])


def _numbers(draw: random.Random, low: int = 0, high: int = 8) -> list[int]:
    pool = [_number(draw) for _ in range(3)]  # so that numbers occur several times in some lists
    return _some(draw, lambda: draw.choice([_number(draw), draw.choice(pool)]), low, high)


def _float(draw: random.Random) -> float:
    return draw.randint(-400, 800) / 4


def _matrix(draw: random.Random, num_rows: int, num_columns: int) -> list[list[int]]:
    return [[draw.randint(-9, 9) for _ in range(num_columns)] for _ in range(num_rows)]


def _record(draw: random.Random) -> dict[str, Any]:
    return {"name": draw.choice(NAMES), "age": draw.randint(5, 80), "city": draw.choice(CITIES)}


def _natural(draw: random.Random, low: int) -> int:
    return draw.choice([draw.randint(low, 12), draw.randint(low, 12), draw.randint(10, 200)])


def _text(draw: random.Random) -> str:
    return draw.choice(TEXTS) + draw.choice(["", " ", "!"]) + draw.choice(WORDS)


def _line(draw: random.Random) -> str:
    return " ".join(word.lower() for word in draw.choices(draw.sample(WORDS, 5), k=draw.randint(1, 7)))


def _items(draw: random.Random) -> list[Any]:
    return draw.choices(draw.choice([WORDS[:6], range(6)]), k=draw.randint(0, 8))


def _by_name(draw: random.Random, one: Callable[[], Any]) -> dict[str, Any]:
    return {name: one() for name in draw.sample(NAMES, draw.randint(1, 5))}


# By kind: values that are always among the first ones, and how others are drawn.
KINDS: dict[str, tuple[list[Any], Callable[[random.Random], Any]]] = {
    "Number": ([0, 1, -1, 7, 12, -8, 100], _number),
    "Natural": ([0, 1, 2, 10], lambda draw: _natural(draw, 0)),
    "Numeral": ([0, 7, 10, 121, 153, 370], lambda draw: draw.randint(0, draw.choice([99, 999, 99999]))),
    "Positive": ([1, 2, 3, 12], lambda draw: _natural(draw, 1)),
    "Year": ([2000, 1900, 2024, 2023], lambda draw: draw.randint(1600, 2400)),
    "Float": ([0.0, 1.0, -2.5, 100.0], _float),
    "Numbers": ([[], [5], [3, 1, 2], [-4, 0, 4], [2, 2, 7, 2], [7, 1, 1]], _numbers),
    "Floats": ([[1.5], [2.0, 4.0], [-1.0, 0.0, 1.0]], lambda draw: _some(draw, lambda: _float(draw), 1)),
    "SortedNumbers": ([[], [1], [1, 2, 4]], lambda draw: sorted(_numbers(draw))),
    "Bits": (["0", "1", "1010"], lambda draw: "".join(draw.choices("01", k=draw.randint(1, 8)))),
    "Text": (["", *TEXTS], lambda draw: draw.choice([_text, _text, _line])(draw)),
    "Line": (["", "one", "the cat and the dog", "never odd or even"], _line),
    "Lines": (
        ["", "one", "first line\nsecond\n\nlast line"],
        lambda draw: "\n".join(draw.choices(TEXTS, k=draw.randint(1, 4))),
    ),
    "Word": (["a", "level", "banana", "Code"], lambda draw: draw.choice(WORDS)),
    "Letter": (["a", "e", "Z"], lambda draw: draw.choice("aeiounrstlAB7")),
    "Words": ([[], ["apple"], ["fig", "egg", "fig"]], lambda draw: draw.choices(WORDS, k=draw.randint(0, 6))),
    "Items": ([[], [1], ["a", "b", "a"], [1, 2, 2, 3], [3, 1, 1]], _items),
    "Flags": ([[], [True], [False, True]], lambda draw: draw.choices([True, False], k=draw.randint(0, 5))),
    "Lists": ([[], [[1, 2], [3]], [[], [4]]], lambda draw: _some(draw, lambda: _numbers(draw, 0, 4), 0, 4)),
    "Matrix": ([[[1, 2, 3], [4, 5, 6]], [[7]]], lambda draw: _matrix(draw, draw.randint(1, 4), draw.randint(1, 4))),
    "Square": ([[[1, 2], [3, 4]], [[7]], [[1, 2], [2, 5]]], lambda draw: _matrix(draw, *[draw.randint(1, 4)] * 2)),
    "Points": (
        [[(0, 0)], [(1, 2), (4, 6)]],
        lambda draw: _some(draw, lambda: (draw.randint(-5, 5), draw.randint(-5, 5)), 1, 5),
    ),
    "Scores": ([{}, {"a": 1}, {"x": 3, "y": 1, "z": 3}], lambda draw: _by_name(draw, lambda: draw.randint(-5, 20))),
    "Labels": ([{}, {"a": "b"}, {"x": "one", "y": "two"}], lambda draw: _by_name(draw, lambda: draw.choice(WORDS))),
    "Groups": ([{}, {"a": [1, 2], "b": []}], lambda draw: _by_name(draw, lambda: _numbers(draw, 0, 4))),
    "Records": ([[]], lambda draw: _some(draw, lambda: _record(draw), 1, 5)),
    "Entries": ([[], [("a", 1)]], lambda draw: _some(draw, lambda: (draw.choice(NAMES), draw.randint(0, 9)), 1, 6)),
    "Name": (["Ann", "x"], lambda draw: draw.choice(NAMES)),
    "NumberSet": ([set(), {1, 2, 3}], lambda draw: set(_numbers(draw))),
}


@cache
def types(kinds: tuple[str, ...]) -> tuple[Any, ...]:
    """The Python types of kinds, without those of their items; a float may be an int."""
    plain = (get_origin(globals()[kind]) or globals()[kind] for kind in kinds)
    return tuple(int if kind is float else kind for kind in plain)


def drawn(kinds: tuple[str, ...], number: int, seed: str) -> Iterator[tuple[Any, ...]]:
    """`number` tuples of arguments of these kinds, the same for a seed; special values come first.

    In every other one, a later argument that can occur in the first does.
    """
    draw = random.Random(seed)
    for index in range(number):
        row: list[Any] = []
        for place, kind in enumerate(kinds):
            special, one = KINDS[kind]
            is_special = index < len(special) and (index < 4 or not place)
            # Later parameters take other special values than the first.
            row.append(special[index * (place + 1) % len(special)] if is_special else one(draw))
            related = _parts(row[0], kind) if place and index % 2 else []
            row[place] = draw.choice(related) if related else row[place]
        yield tuple(row)


def _parts(first: Any, kind: str) -> list[Any]:
    """The parts of a first argument that are values of this kind."""
    if kind == "Letter":
        return [letter for letter in "".join(first) if letter.isalnum()] if isinstance(first, str | list) else []
    if kind in ("Name", "Word") and isinstance(first, dict):
        return list(first)
    if kind == "Word":
        return first.split() if isinstance(first, str) else [item for item in first if isinstance(item, str)]
    if kind == "Natural" and isinstance(first, list):
        return [item for item in first if type(item) is int and item >= 0]
    return []
