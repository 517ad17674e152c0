"""Textbook code of the small world of `python-basics`, without instructions: functions with docstrings and examples.

Left out: the functions that are kept for asking only, everyday ones and compositions, and the wordings kept for tests.
"""

import random
from collections.abc import Iterator

from utils.data.basics import examples, pairs
from utils.data.basics.functions import Function
from utils.data.basics.wordings import sentence, third_person
from utils.data.pairs import TRAIN
from utils.pretraining.code_files import Document

NUM_OTHERS = 5000  # compositions that are not among the pairs
# Times that each function occurs, in other words.
NUM_EVERYDAY, NUM_OF_FAMILIES, NUM_TRAINED, NUM_OF_OTHERS = 60, 4, 3, 1
NUM_FUNCTIONS = 12  # of one file
# How a function is documented. Behind a comment its name follows from the words, as in an answer to an instruction.
STYLES = ("comment",) * 8 + ("docstring", "doctest", "asserts")


def documents() -> list[Document]:
    """Files of functions in a fixed order."""
    chosen = pairs.selection(NUM_OTHERS)
    groups = (
        ((*chosen.everyday, *chosen.more), NUM_EVERYDAY),
        (chosen.families, NUM_OF_FAMILIES),
        (chosen.trained, NUM_TRAINED),
        (chosen.others, NUM_OF_OTHERS),
    )
    copies = [(function, number) for some, count in groups for function in some for number in range(count)]
    random.Random(0).shuffle(copies)
    return [
        Document(f"basics{start}", "python-basics", "Apache-2.0", _file(copies[start : start + NUM_FUNCTIONS]), TRAIN)
        for start in range(0, len(copies), NUM_FUNCTIONS)
    ]


def _file(functions: list[tuple[Function, int]]) -> str:
    texts = [text for function, number in functions for text in _texts(function, number)]
    return "\n\n\n".join(texts) + "\n"


def _texts(function: Function, number: int) -> Iterator[str]:
    draw = random.Random(f"{function.name} {number}")
    phrase, style = pairs.trained_phrase(function, number, draw), draw.choice(STYLES)
    said = sentence(phrase if draw.random() < 0.5 else third_person(phrase))
    header, body = function.header, function.indented
    call, value = examples.example(function, draw.randrange(8))
    if style == "comment":
        yield f"# {said}.\n{function.source()}"
    elif style == "doctest":
        yield f'{header}\n    """{said}.\n\n    >>> {call}\n    {value}\n    """\n{body}'
    else:
        yield f'{header}\n    """{said}."""\n{body}'
    if style == "asserts":
        yield f"assert {call} == {value}"
