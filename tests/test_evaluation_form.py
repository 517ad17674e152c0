"""The yardstick: what it counts as right."""

import pytest

from utils.evaluation import form
from utils.model.generation import END_OF_TEXT, LIMIT, Answer

ASK = "Write this Python function. Return the sum.\n\ndef add(first, second=('one',), *rest, key: int = 0) -> int:"


@pytest.mark.parametrize(
    ("answer", "parses", "is_asked"),
    [
        ("def add(first, second, *rest, key=1):\n    return first", True, True),
        ("import math\nclass A:\n    def add(first, second, *rest, key):\n        return 1", True, True),
        ('def add(first, second, *rest, key):\n    """Nothing."""\n    pass', True, False),
        ("def add(first, second, *rest, key):\n    ...", True, False),
        ("def add(first, second, rest, key):\n    return 1", True, False),
        ("def add(second, first, *rest, key):\n    return 1", True, False),
        ("def other(first, second, *rest, key):\n    return 1", True, False),
        ("def add(first, second, *rest, key):\n    return (", False, False),
        ("def add(first, second, *rest, key):", False, False),
        ("", False, False),
        ("\0", False, False),
        ("(" * 10_000, False, False),
        ("Here is the function:", False, False),
    ],
)
def test_an_answer_is_judged_by_what_was_asked(answer, parses, is_asked):
    asked = form.signature(ASK)
    assert form.judge(asked, answer) == {"parses": parses, "is_asked": is_asked}


def test_only_instructions_with_a_signature_are_asked():
    assert form.signature("Write a function.") is None
    assert form.signature("Write this.\n\n@property\nasync def size(self):").name == "size"
    with_docstring = (
        'Write this.\n\nimport math\n\ndef root(x):\n    """The square root.\n\n    >>> root(4)\n    2.0\n    """'
    )
    assert form.signature(with_docstring).name == "root"
    assert form.signature(with_docstring + "\nBe brief.") is None
    row = {"instruction": ASK}
    rows = [row, {"instruction": "x"}, {"instruction": f"Explain {ASK}\n\nIn words."}] * 10
    assert form.instructions(rows, 4) == [row] * 4 and len(form.instructions(rows, 99)) == 10


def test_the_shares_of_some_answers():
    good = "def add(first, second, *rest, key):\n    return 1"
    written = [Answer(good, END_OF_TEXT), Answer(good, LIMIT), Answer("1 +", END_OF_TEXT), Answer("x = 1", END_OF_TEXT)]
    shares = form.follows([{"instruction": ASK}] * 4, written)
    assert [share.value for share in shares.values()] == [0.75, 0.5, 0.75, 0.75]
