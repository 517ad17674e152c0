"""What a person asks as a row of ids, and what a model thinks of an answer to it."""

import copy
import json
import math

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from support.tiny_tokenizer import chat_tokenizer
from utils.errors import UserError
from utils.model import generation, prompt_modes
from utils.playground import token_logprobs
from utils.pretraining import corpus
from utils.tokens import dataset
from utils.tokens.prompts import encode_texts

CONTEXT = 512


@pytest.fixture(scope="module")
def both(world):
    path = world[1].model_name_or_path
    return AutoModelForCausalLM.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)


def test_an_instruction_has_the_ids_of_training(world, both, shared_data):
    rows = json.loads((shared_data / "gpteacher" / "codegen-instruct.json").read_text())[:1000]
    pairs = [{name: row[name] for name in ("instruction", "input", "response")} for row in rows]
    trained = dataset.tokenize(pairs, both[1])
    assert len(pairs) == 1000
    for index, pair in enumerate(pairs):
        asked = prompt_modes.instruction(pair["instruction"], pair["input"], both[1], 10**6)
        assert asked.ids == trained[index][: trained.prompt_lengths[index]].tolist()
    assert asked.shown.endswith("### Response:")


def test_an_instruction_is_refused_where_it_is_empty_or_too_long(both):
    with pytest.raises(UserError, match="instruction is empty"):
        prompt_modes.instruction("  ", "", both[1], CONTEXT)
    with pytest.raises(UserError, match="Shorten the prompt by at least"):
        prompt_modes.instruction("word " * 900, "", both[1], CONTEXT)


def test_a_text_that_is_too_long_loses_its_beginning_and_says_so(both):
    text = "".join(f"line {number}\n" for number in range(500))
    asked = prompt_modes.completion(text, both[1], CONTEXT, 100)
    assert len(asked.ids) == CONTEXT - 100 and asked.shown.endswith("line 499\n") and text.endswith(asked.shown)
    assert "tokens of its beginning were cut off" in asked.note
    assert prompt_modes.completion("short", both[1], CONTEXT, 100).note == ""
    with pytest.raises(UserError, match="empty"):
        prompt_modes.completion("", both[1], CONTEXT, 100)


def test_a_gap_is_asked_for_suffix_first_and_put_back_together(both):
    question = prompt_modes.Question(prompt_modes.FILL, text=f"def f(a):\n    return {prompt_modes.CURSOR}\n\nf(1)\n")
    asked, (before, after) = question.ask(both[1], CONTEXT), question.around
    assert asked.shown == "<fim_prefix><fim_suffix>\n\nf(1)\n<fim_middle>def f(a):\n    return "
    assert before + "a" + after == "def f(a):\n    return a\n\nf(1)\n"
    assert asked.ids[:2] == [1, 3] and asked.ids.count(2) == 1
    # As the corpus has it: both texts tokenised apart.
    special = {corpus.PREFIX: [1], corpus.SUFFIX: [3], corpus.MIDDLE: [2]}
    parts = [corpus.PREFIX, corpus.SUFFIX, after, corpus.MIDDLE, before]
    encoded = [special[part] if part in special else encode_texts([part], both[1])[0] for part in parts]
    assert asked.ids == [token for ids in encoded for token in ids]


def test_a_model_that_learned_one_order_is_asked_in_that_order(both):
    tokenizer = copy.deepcopy(both[1])
    tokenizer.add_special_tokens({"extra_special_tokens": list(prompt_modes.FIM_TOKENS[1][0])})
    vocabulary = {
        token: index for token, index in tokenizer.get_vocab().items() if token not in prompt_modes.FIM_TOKENS[0][0]
    }
    tokenizer.get_vocab = lambda: vocabulary
    asked = prompt_modes.fill(f"a{prompt_modes.CURSOR}b", tokenizer, CONTEXT, 50)
    assert asked.shown == "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"


def test_a_text_without_exactly_one_gap_is_refused(both):
    for text in ("no gap", f"{prompt_modes.CURSOR}{prompt_modes.CURSOR}"):
        with pytest.raises(UserError, match="one <cursor> where the gap is; there are"):
            prompt_modes.fill(text, both[1], CONTEXT, 50)


@pytest.mark.parametrize(("num_before", "num_after"), [(400, 400), (400, 2), (2, 400)])
def test_a_text_around_a_gap_that_is_too_long_is_cut_at_its_far_ends(both, num_before, num_after):
    before = "".join(f"before {number}\n" for number in range(num_before))
    after = "".join(f"after {number}\n" for number in range(num_after))
    asked = prompt_modes.fill(before + prompt_modes.CURSOR + after, both[1], CONTEXT, 50)
    assert len(asked.ids) == CONTEXT - 50
    suffix, _, prefix = asked.shown.removeprefix("<fim_prefix><fim_suffix>").partition("<fim_middle>")
    assert before.endswith(prefix) and after.startswith(suffix) and prefix and suffix
    assert (prefix == before) == ("of its beginning" not in asked.note)
    assert (suffix == after) == ("of its end" not in asked.note)


def test_a_special_token_that_is_spelled_out_stays_text(both):
    asked = prompt_modes.fill(f"# <fim_suffix> {prompt_modes.CURSOR}", both[1], CONTEXT, 50)
    assert asked.ids.count(3) == 1


def test_a_model_without_tokens_for_it_says_so():
    with pytest.raises(UserError, match="no fill-in-the-middle tokens"):
        prompt_modes.fill(f"a{prompt_modes.CURSOR}b", chat_tokenizer(), CONTEXT, 50)


def test_the_scores_are_those_of_the_loop_that_wrote_the_answer(both):
    network, tokenizer = both
    prompt = prompt_modes.completion("def f", tokenizer, CONTEXT, 20).ids
    *_, (draft,) = generation.stream(network, tokenizer, [prompt], generation.GenerationSettings(max_new_tokens=20))
    found = token_logprobs.score(network, tokenizer, prompt, draft.ids)
    assert len(found) == len(draft.ids) > 5
    assert all(one.alternatives[0][1] == pytest.approx(one.probability) for one in found), (
        "greedy: always the likeliest"
    )
    assert all(one.alternatives[0][0] == one.text for one in found)
    ids = torch.tensor([prompt + draft.ids])
    labels = torch.tensor([[-100] * len(prompt) + draft.ids])
    assert token_logprobs.loss(found) == pytest.approx(network(ids, labels=labels).loss.item(), rel=1e-4)


def test_an_answer_beyond_the_context_is_scored_as_far_as_it_fits(both):
    network, tokenizer = both
    assert len(token_logprobs.score(network, tokenizer, [5] * 500, [6] * 100)) == 13
    assert token_logprobs.score(network, tokenizer, [5], []) == [] and math.isnan(token_logprobs.loss([]))
