"""A grammar of small functions: which values, which of them, what becomes of each, and what is made of them all.

"Return the sum of the squares of the even numbers in a list" is `numbers`, `even`, `squares`, `sum`. The parts and
their wordings are in `parts`.
"""

import random
from itertools import product

from utils.data.basics.functions import Function
from utils.data.basics.parts import FILTERS, FOLDS, MAPS, SOURCES, Filter, Fold, Map, Source

NUM_PHRASES = 4
MAX_LINE = 80  # characters; longer ones become a loop
LOOP_SHARE = 0.15  # of the others, since people write both


def compositions() -> list[Function]:
    """Every function of the grammar, in a fixed order."""
    return [_function(*parts) for parts in product(SOURCES, (None, *FILTERS), (None, *MAPS), FOLDS) if _fits(*parts)]


def _fits(source: Source, which: Filter | None, what: Map | None, fold: Fold) -> bool:
    """Whether the parts are of one type, and together something that a person could ask for."""
    if (which and which.type != source.type) or (what and what.type != source.type):
        return False
    if {which and which.name, what and what.name} & set(source.useless):
        return False
    if (fold.needs_filter and not which) or (fold.needs_map and not what) or (what and not fold.takes_map):
        return False
    result = what.result if what else source.type
    return result in fold.types and bool(which or what or fold.is_enough)


def _function(source: Source, which: Filter | None, what: Map | None, fold: Fold) -> Function:
    element = source.element
    condition = which.code.format(v=element) if which else ""
    expression = what.code.format(v=element) if what else element
    loop, test = f"for {element} in {source.code}", f" if {condition}" if condition else ""
    is_plain = not which and not what
    values = source.code if is_plain else f"{expression} {loop}{test}"
    argument = values if is_plain else f"({values})"
    code = fold.code.format(
        values=values, argument=argument, e=expression, v=element, loop=loop, test=test, c=condition
    )
    name = "_".join(part.name for part in (fold, which, what, source) if part)
    draw = random.Random(name)
    if fold.start and (len(code) > MAX_LINE or (which and draw.random() < LOOP_SHARE)):
        indent = "        " if condition else "    "
        lines = [f"{fold.result} = {fold.start}", f"{loop}:", *([f"    if {condition}:"] if condition else [])]
        code = "\n".join([*lines, indent + fold.step.format(e=expression), f"return {fold.result}"])
    parameters = ((source.parameter, source.kind), *((which.parameter,) if which and which.parameter else ()))
    phrases = dict.fromkeys(_phrase(source, which, what, fold, draw) for _ in range(NUM_PHRASES))
    return Function(name, parameters, tuple(phrases), code, "import math" if "math." in code else "")


def _phrase(source: Source, which: Filter | None, what: Map | None, fold: Fold, draw: random.Random) -> str:
    noun, place = draw.choice(source.words)
    adjective, clause = draw.choice(which.words) if which and not fold.is_question else ("", "")
    of_these = " ".join(filter(None, [adjective, noun, place, clause]))
    head = draw.choice(what.words) if what else ""
    all_of_them = f"the {head} of the {of_these}" if what else f"the {of_these}"
    predicate = which.predicate if which else ""
    return draw.choice(fold.words).format(x=all_of_them, them=of_these, map=head, p=predicate)
