"""How people ask for a function: a phrase such as "count the vowels in a text" in a command or a question."""

import random

from utils.data.basics.functions import Function

# `{base}` is the phrase, `{third}` the same with its verb in the third person, `{sentence}` as a sentence.
PLAIN = (
    "Write a function that {third}.",
    "Write a Python function that {third}.",
    "Write a function to {base}.",
    "Write Python code to {base}.",
    "Create a function that {third}.",
    "Implement a function to {base}.",
    "Define a Python function which {third}.",
    "I need a function that {third}.",
    "Give me a function to {base}.",
    "Can you write a function that {third}?",
    "Please write a function that {third}.",
    "How do I {base}?",
    "In Python, how can I {base}?",
    "{sentence}.",
)
SIGNED = (
    "Write a function `{signature}` that {third}.",
    "Write a Python function {signature} to {base}.",
    "Implement {signature}: {base}.",
    "Define `{signature}`, which {third}.",
    '{sentence}.\n\ndef {signature}:\n    """{sentence}."""',
    'Write this Python function.\n\ndef {signature}:\n    """{sentence}."""',
    "Write a function that {third}.\n\ndef {signature}:",
)
WITH_EXAMPLE = (
    "Write a function that {third}. For example, {call} gives {value}.",
    "{sentence}. {call} should return {value}.",
    'Write this Python function.\n\ndef {signature}:\n    """{sentence}.\n\n    >>> {call}\n    {value}\n    """',
)
STYLES = (*("plain",) * 3, *("signed",) * 2, "example")


def third_person(phrase: str) -> str:
    """The phrase with its first verb in the third person: "count the words" becomes "counts the words"."""
    verb, _, rest = phrase.partition(" ")
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        verb += "es"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        verb = verb[:-1] + "ies"
    else:
        verb += "s"
    return f"{verb} {rest}"


def sentence(phrase: str) -> str:
    """The phrase with a capital letter."""
    return phrase[:1].upper() + phrase[1:]


def ask(function: Function, phrase: str, template: str, example: tuple[str, str]) -> str:
    """The instruction of a template; `example` is a call and its value."""
    call, value = example
    return template.format(
        base=phrase,
        third=third_person(phrase),
        sentence=sentence(phrase),
        signature=function.signature,
        call=call,
        value=value,
    )


def templates(number: int, draw: random.Random) -> list[str]:
    """`number` different templates of several styles, in a drawn order."""
    left = {"plain": list(PLAIN), "signed": list(SIGNED), "example": list(WITH_EXAMPLE)}
    for names in left.values():
        draw.shuffle(names)
    styles = [STYLES[index % len(STYLES)] for index in range(number)]
    chosen = [left[style].pop() for style in styles]
    draw.shuffle(chosen)
    return chosen
