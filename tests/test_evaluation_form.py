"""The yardstick: what it counts as right, and that its figures are those of a plain computation."""

import math

import pytest
import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from utils.evaluation import form
from utils.model import loading as models
from utils.model.generation import END_OF_TEXT, LIMIT, Answer

ASK = "Write this Python function. Return the sum.\n\ndef add(first, second=('one',), *rest, key: int = 0) -> int:"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    models.create_fresh(folder, ["def add(a, b):\n    return a + b\n" * 20], vocab_size=300)
    tokenizer = models.load_tokenizer(str(folder))
    torch.manual_seed(0)
    config = GPTBigCodeConfig(vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=2, n_head=2)
    return GPTBigCodeForCausalLM(config).eval(), tokenizer


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


@pytest.mark.parametrize("length", [1, 30, 300])
def test_bits_per_byte_are_those_of_the_loop_that_transformers_documents(tiny, length):
    """Its page on the perplexity of models with a fixed length, whose windows are all of the target tokens' logits."""
    model, tokenizer = tiny
    text = ("def add(a, b): é\n" * 30)[:length]
    ids = [tokenizer.eos_token_id, *tokenizer(text)["input_ids"]]
    ids, context, stride = torch.tensor([ids]), 32, 16
    nats, previous_end = 0.0, 0
    with torch.no_grad():
        for begin in range(0, ids.shape[1], stride):
            end = min(begin + context, ids.shape[1])
            num_targets = end - previous_end
            input_ids = ids[:, begin:end]
            labels = input_ids.clone()
            labels[:, :-num_targets] = -100
            num_predicted = int((labels[:, 1:] != -100).sum())
            if num_predicted:
                nats += model(input_ids, labels=labels).loss.item() * num_predicted
            previous_end = end
            if end == ids.shape[1]:
                break
    expected = nats / math.log(2) / len(text.encode())
    assert form.bits_per_byte(model, tokenizer, [text], context, stride) == pytest.approx(expected, rel=1e-4)
