"""Functions that differ in a part or two, such as what is counted in a text: the rows of `family_tables`, filled in."""

import random
from itertools import product

from utils.data.basics.family_tables import dictionaries, lists, numbers, texts
from utils.data.basics.family_tables.slots import Option
from utils.data.basics.functions import Function

NUM_PHRASES = 5
TABLES = texts, numbers, dictionaries, lists
IMPORTS = {"math.": "import math", "string.": "import string", "groupby(": "from itertools import groupby"}


def families() -> list[Function]:
    """Every function of the families, in a fixed order."""
    return [
        _function(name, parameters, body, phrases.split("|"), dict(zip(slots, options, strict=True)))
        for table in TABLES
        for name, parameters, body, phrases, slots in table.FAMILIES
        for options in product(*slots.values())
    ]


def _function(name: str, parameters: str, body: str, phrases: list[str], options: dict[str, Option]) -> Function:
    name = name.format(**{slot: part for slot, (part, _, _) in options.items()})
    codes = {slot: code for slot, (_, code, _) in options.items()}
    for slot, code in codes.items():
        for other in codes:
            code = code.replace(f"{{{other}_code}}", codes[other])
        codes[slot] = code
    body = body.format(**codes)
    draw = random.Random(name)
    said = dict.fromkeys(_phrase(phrases[number % len(phrases)], options, draw) for number in range(NUM_PHRASES))
    imports = "\n".join(statement for part, statement in IMPORTS.items() if part in body)
    pairs = tuple((word, kind) for word, kind in (parameter.split(": ") for parameter in parameters.split(", ")))
    return Function(name, pairs, tuple(said), body, imports)


def _phrase(phrase: str, options: dict[str, Option], draw: random.Random) -> str:
    for slot, (_, _, words) in options.items():
        word = draw.choice(words.split("/"))
        before, place, after = phrase.partition(f"{{{slot}}}")
        if "@" in word and place:
            phrase = before + word.replace("@", after.strip())
        else:
            phrase = phrase.replace(place, word) if place else phrase
    return phrase
