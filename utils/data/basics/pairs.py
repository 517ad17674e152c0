"""The pairs `python-basics` and the tasks beside them: which functions are trained, and which are only asked for.

Everyday functions are asked for in several wordings, functions of families and compositions of a grammar in one or two.
Three things are kept for asking: compositions of the grammar that are never trained, the last wording of each everyday
function, and the everyday functions of the tables `held_out_*`. No trained function behaves like one of these.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from utils import artifacts
from utils.data.basics import examples, wordings
from utils.data.basics.compositions import compositions
from utils.data.basics.families import families
from utils.data.basics.functions import FOLDER, HELD_OUT, MORE, PHRASES, TRAINED, Function, everyday
from utils.data.basics.paraphrases import paraphrase
from utils.sandbox.judge import Task

COMPOSITIONS, WORDINGS, EVERYDAY = SETS = "basics-compositions", "basics-wordings", "basics-everyday"
NUM_UNSEEN, NUM_TRAINED = 200, 1600  # compositions
# Pairs of each function: everyday ones, those in `more`, of families, compositions.
NUM_PAIRS = (("everyday", 12), ("everyday", 8), ("family", 2), ("composition", 2))


@dataclass(frozen=True)
class Selection:
    """The functions by use; `unseen`, `trained` and `others` are compositions, the last only for textbook code.

    Of the trained everyday functions, those in `more` are not asked for in other words.
    """

    everyday: tuple[Function, ...]
    more: tuple[Function, ...]
    held_out: tuple[Function, ...]
    families: tuple[Function, ...]
    unseen: tuple[Function, ...]
    trained: tuple[Function, ...]
    others: tuple[Function, ...]


@cache
def selection(num_others: int = 0) -> Selection:
    """The same functions every time; compositions are drawn by a hash of their names, each behaviour once.

    With `num_others` further compositions, which behave like none that is asked for.
    """
    known, held_out = everyday(TRAINED), everyday(HELD_OUT)
    unseen, trained, others = groups = [], [], []
    seen = {examples.behaviour(function) for function in (*known, *held_out)}
    for function in sorted(compositions(), key=lambda one: artifacts.sha256_text(one.name)):
        uses = zip(groups, (NUM_UNSEEN, NUM_TRAINED, num_others), strict=True)
        use = next((group for group, number in uses if len(group) < number), None)
        if use is None:
            break
        behaviour = examples.behaviour(function)
        if behaviour in seen or len(function.phrases) < 2:
            continue
        seen.add(behaviour)
        # Also functions of other kinds, and those that a test cannot tell apart.
        asked = () if use is unseen else (*held_out, *unseen)
        if not any(examples.passes(function, other) for other in asked):
            use.append(function)
    more = tuple(_others(everyday(MORE), known, (*held_out, *unseen)))
    of_families = tuple(_others(families(), (*known, *more), (*held_out, *unseen)))
    return Selection(known, more, held_out, of_families, *map(tuple, groups))


def _others(
    functions: Iterable[Function], known: tuple[Function, ...], asked: tuple[Function, ...]
) -> Iterator[Function]:
    """Those with a name and a behaviour of their own: neither a known function's, nor one in `asked`."""
    seen = {examples.behaviour(function) for function in (*known, *asked)}
    names = {function.name for function in (*known, *asked)}
    for function in functions:
        behaviour = examples.behaviour(function)
        is_new = function.name not in names and behaviour not in seen
        if is_new and not any(examples.passes(function, other) for other in asked):
            seen.add(behaviour)
            yield function


def sha256() -> str:
    """Changes with the tables and the code of this package."""
    paths = (*sorted(FOLDER.rglob("*.py")), PHRASES)
    return artifacts.sha256_text("".join(artifacts.sha256_file(path) for path in paths))


def python_basics() -> Iterator[dict[str, str]]:
    """The pairs, in a fixed order: instruction, input, response, kind, origin (the function's name) and split."""
    chosen = selection()
    groups = zip(NUM_PAIRS, (chosen.everyday, chosen.more, chosen.families, chosen.trained), strict=True)
    for (kind, num_pairs), functions in groups:
        for function in functions:
            draw = random.Random(function.name)
            for number, template in enumerate(wordings.templates(num_pairs, draw)):
                yield _pair(function, trained_phrase(function, number, draw), template, number, kind, "train")
    for function in chosen.everyday:
        yield _pair(function, function.phrases[-1], _template(function), 0, "everyday", "validation")
    for function in chosen.unseen:
        yield _pair(function, function.phrases[0], _template(function), 0, "composition", "validation")


def trained_phrase(function: Function, number: int, draw: random.Random) -> str:
    """One of the phrases but the last, in other words; never that last one, which is kept for asking."""
    phrases = function.phrases[:-1]
    phrase = phrases[number % len(phrases)]
    other = paraphrase(phrase, draw)
    return phrase if other == function.phrases[-1] else other


def _template(function: Function) -> str:
    """One of all templates for a question that is asked once."""
    draw = random.Random(f"asked {function.name}")
    return draw.choice((*wordings.PLAIN, *wordings.SIGNED))


def _pair(function: Function, phrase: str, template: str, number: int, kind: str, split: str) -> dict[str, str]:
    instruction = _instruction(function, phrase, template, number)
    origin = function.name if split == "train" or kind == "composition" else f"{function.name}, in other words"
    return {
        "instruction": instruction,
        "input": "",
        "response": function.source(),
        "kind": kind,
        "origin": origin,
        "split": split,
    }


def _instruction(function: Function, phrase: str, template: str, number: int) -> str:
    # Most templates show no call, and making the calls of a function takes long.
    example = examples.example(function, number) if template in wordings.WITH_EXAMPLE else ("", "")
    return wordings.ask(function, phrase, template, example)


def tasks(name: str) -> list[Task]:
    """The tasks of one of `SETS`, each with the instruction of a person."""
    chosen = selection()
    functions = {COMPOSITIONS: chosen.unseen, WORDINGS: chosen.everyday, EVERYDAY: chosen.held_out}[name]
    return [
        examples.task(
            function,
            f"{name.removeprefix('basics-')}/{function.name}",
            _instruction(function, phrase := function.phrases[-1 if name == WORDINGS else 0], _template(function), 0),
            phrase,
        )
        for function in functions
    ]
