"""The decoding loop against transformers' own, on a tiny random model."""

import copy
import re
from dataclasses import replace
from threading import Event

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPTBigCodeConfig,
    GPTBigCodeForCausalLM,
    Llama4TextConfig,
)

from support.tiny_tokenizer import byte_tokenizer, chat_tokenizer
from utils.errors import UserError
from utils.model import decoding
from utils.model.generation import GenerationSettings, generate_batch, generate_rows, stream
from utils.model.loading import SPECIAL_TOKENS
from utils.model.sampling import sample
from utils.tokens import dataset
from utils.tokens.prompts import TEMPLATES, encode_prompts, format_prompt

CONTEXT = 64
PROMPTS = ["def add(a, b):", "x", "a rather longer prompt, é and all"]


@pytest.fixture(scope="module")
def tokenizer():
    """Every byte is a token, so that every character beyond ASCII is spread over several."""
    return byte_tokenizer(SPECIAL_TOKENS)


@pytest.fixture(scope="module")
def stopping(tokenizer):
    """The same tokenizer, with a token for its end that the tiny model does write."""
    stopping = copy.deepcopy(tokenizer)
    stopping.eos_token = "2"
    return stopping


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    # Weights this large make the model choose with confidence, and differently after every prefix.
    config = GPTBigCodeConfig(
        vocab_size=len(tokenizer), n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=4, initializer_range=0.8,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPTBigCodeForCausalLM(config).eval()


class Scripted(torch.nn.Module):
    def __init__(self, model, ids):
        super().__init__()
        self.config, self.device, self.ids = model.config, model.device, list(ids)

    def forward(self, input_ids, **_):
        logits = torch.nn.functional.one_hot(torch.tensor([[self.ids.pop(0)]]), self.config.vocab_size).float()
        return type("Output", (), {"logits": logits})


def drafts(model, tokenizer, prompt, settings, stop=None):
    return (draft for (draft,) in stream(model, tokenizer, encode_prompts([prompt], tokenizer), settings, stop))


def written(model, tokenizer, prompt, settings, stop=None):
    return list(drafts(model, tokenizer, prompt, settings, stop))[-1]


def texts(model, tokenizer, prompt, **settings):
    return written(model, tokenizer, prompt, GenerationSettings(**settings)).text


def pieces(model, tokenizer, prompt, settings):
    text, found = "", []
    for draft in drafts(model, tokenizer, prompt, settings):
        assert draft.text.startswith(text), "text only grows"
        found, text = [*found, draft.text[len(text) :]], draft.text
    return [piece for piece in found if piece]


def reference(model, tokenizer, prompt, max_new_tokens, **options):
    """Greedy text from transformers' `generate`, without end-of-text."""
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    new = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **options,
    )[0, ids.shape[1] :].tolist()
    if tokenizer.eos_token_id in new:
        new = new[: new.index(tokenizer.eos_token_id)]
    return tokenizer.decode(new, skip_special_tokens=False)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_is_what_transformers_generates(model, tokenizer, stopping, prompt):
    text = texts(model, tokenizer, prompt, max_new_tokens=25)
    assert text == reference(model, tokenizer, prompt, 25)
    assert len(set(text)) > 3, "a model that repeats itself would prove nothing"
    assert texts(model, stopping, prompt, max_new_tokens=25) == reference(model, stopping, prompt, 25)


SIZES = dict(
    vocab_size=300, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=16, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0,
)  # fmt: skip


def random_model(config):
    """Weights this large make its choices depend on every token."""
    torch.manual_seed(1)
    network = AutoModelForCausalLM.from_config(config).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return network


@pytest.mark.parametrize("num_rows, decoder", [(1, decoding.Cached), (4, decoding.Recomputing)])
def test_padding_that_changes_logits_only_in_wide_batches_is_noticed(num_rows, decoder):
    """Llama 4 scales its queries by the column, here from column 31 on; alone its column is its position."""
    network = random_model(
        Llama4TextConfig(**SIZES, intermediate_size_mlp=96, num_local_experts=2, floor_scale=32, no_rope_layers=[1, 0])
    )
    rows = [[5 + column % 89 for column in range(length)] for length in (90, 10, 50, 3)][:num_rows]
    settings = GenerationSettings(max_new_tokens=8)
    decoder_used = decoding.decoder_of(network, rows, settings)
    assert type(decoder_used) is decoder
    expected = decoding.Recomputing(network, rows, settings)
    assert [decoder_used.step() for _ in range(8)] == [expected.step() for _ in range(8)]


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_row_of_a_batch_is_the_row_alone(model, tokenizer, stopping, temperature):
    """Rows that end at the end of the context, and rows that end on their own, at different steps."""
    settings = GenerationSettings(max_new_tokens=CONTEXT, temperature=temperature, top_p=0.95, seed=3)
    for tokens in (tokenizer, stopping):
        seeds = [replace(settings, seed=settings.seed + index) for index in range(len(PROMPTS))]
        ends = [written(model, tokens, prompt, one) for prompt, one in zip(PROMPTS, seeds, strict=True)]
        alone = [(draft.text, draft.reason) for draft in ends]
        assert generate_batch(model, tokens, PROMPTS, settings) == alone
        assert len({len(text) for text, _ in alone}) > 1
    assert generate_batch(model, tokenizer, [], settings) == []


def test_a_seed_gives_its_text_whatever_else_draws(model, tokenizer):
    sampled = dict(max_new_tokens=20, temperature=1.0)
    settings = GenerationSettings(seed=1, **sampled)
    first = texts(model, tokenizer, "x", seed=1, **sampled)
    before = torch.get_rng_state()
    one, other = drafts(model, tokenizer, "x", settings), drafts(model, tokenizer, "y", settings)
    assert [draft.text for draft in one if next(other, draft)][-1] == first
    assert torch.equal(before, torch.get_rng_state()), "the global generator is not ours to move"
    assert len({texts(model, tokenizer, "x", seed=seed, **sampled) for seed in range(5)}) == 5


def test_a_tiny_nucleus_or_temperature_is_greedy(model, tokenizer):
    greedy = texts(model, tokenizer, "x", max_new_tokens=20)
    assert texts(model, tokenizer, "x", max_new_tokens=20, temperature=1.0, top_p=1e-9) == greedy
    assert texts(model, tokenizer, "x", max_new_tokens=20, temperature=1e-308) == greedy


def test_the_nucleus_is_drawn_from_in_proportion(model, tokenizer):
    """With probabilities 0.5, 0.3, 0.2 and top-p 0.7 the third is never drawn and the first has 5 of 8 draws."""
    logits = torch.tensor([[0.2, 0.5, 0.3]]).log().expand(2000, -1)
    generators = [torch.Generator().manual_seed(seed) for seed in range(2000)]
    drawn = sample(logits, GenerationSettings(temperature=1.0, top_p=0.7), generators)
    counts = torch.bincount(drawn, minlength=3) / 2000
    assert counts[0] == 0
    assert counts[1].item() == pytest.approx(5 / 8, abs=0.04)


def test_pieces_hold_whole_characters(model, tokenizer):
    text = "a é 👩‍💻 中文 🎉z"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    found = pieces(Scripted(model, [*ids, 0]), tokenizer, "x", GenerationSettings(max_new_tokens=60))
    assert "".join(found) == text
    assert not any("\ufffd" in piece for piece in found)
    assert max(map(len, found)) == 1, "a character is written as soon as it is whole"


def test_broken_bytes_and_special_tokens_are_shown(model, tokenizer):
    emoji = tokenizer("🎉", add_special_tokens=False)["input_ids"]
    ids = [*emoji[:2], *emoji, 1, *emoji[:3]]  # cut off, whole, <fim_prefix>, cut off by the end
    found = pieces(Scripted(model, ids), tokenizer, "x", GenerationSettings(max_new_tokens=len(ids)))
    assert "".join(found) == tokenizer.decode(ids, skip_special_tokens=False) == "\ufffd🎉<fim_prefix>\ufffd"


def test_why_it_ended(model, tokenizer):
    def end(model, prompt="x", max_new_tokens=9, stop=None):
        draft = written(model, tokenizer, prompt, GenerationSettings(max_new_tokens=max_new_tokens), stop)
        return draft.reason, draft.num_tokens, draft.text

    a = tokenizer("a")["input_ids"][0]
    assert end(Scripted(model, [a, a, 0])) == ("end-of-text", 3, "aa")
    assert end(Scripted(model, [a] * 9)) == ("limit", 9, "a" * 9)
    stop = Event()
    stop.set()
    assert end(model, stop=stop) == ("stopped", 0, "")
    # The context is used up to its last position, and not beyond.
    reason, num_tokens, text = end(Scripted(model, [a] * CONTEXT), prompt="x" * 60, max_new_tokens=500)
    assert (reason, num_tokens, text) == ("limit", CONTEXT - 60, "a" * (CONTEXT - 60))


def test_stop_keeps_what_was_written(model, tokenizer):
    stop = Event()
    growing = drafts(model, tokenizer, "def f():", GenerationSettings(max_new_tokens=40), stop)
    for _ in range(3):
        draft = next(growing)
    stop.set()
    assert list(growing) == [draft] and (draft.reason, draft.num_tokens) == ("stopped", 3)
    assert texts(model, tokenizer, "def f():", max_new_tokens=40).startswith(draft.text.rstrip("\ufffd"))


def test_a_stop_string_ends_an_answer_before_it_and_is_never_shown_in_part(model, tokenizer):
    def end(text, *stop):
        ids = tokenizer(text)["input_ids"]
        settings = GenerationSettings(max_new_tokens=len(ids), stop=stop)
        shown = pieces(Scripted(model, ids), tokenizer, "x", settings)
        draft = written(Scripted(model, ids), tokenizer, "x", settings)
        assert "".join(shown) == draft.text
        return draft.text, draft.reason

    assert end("a = 1\n\ndef f", "\n\ndef") == ("a = 1", "stop string")
    assert end("a = 1\n\ndel a", "\n\ndef") == ("a = 1\n\ndel a", "limit")
    assert end("one two", "two", "one") == ("", "stop string")
    assert end("ab\n\nd", "\n\ndef") == ("ab\n\nd", "limit"), "what was held back is shown at the end"


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [1.3, 0.7])
def test_the_penalty_is_that_of_transformers(model, tokenizer, penalty):
    expected = reference(model, tokenizer, "abcabc", 20, repetition_penalty=penalty)
    assert texts(model, tokenizer, "abcabc", max_new_tokens=20, repetition_penalty=penalty) == expected
    assert expected != texts(model, tokenizer, "abcabc", max_new_tokens=20)
    rows = encode_prompts(["abcabc", "xyz and more"], tokenizer)
    settings = GenerationSettings(max_new_tokens=20, repetition_penalty=penalty)
    assert generate_rows(model, tokenizer, rows, settings)[0].text == expected


@pytest.mark.slow
def test_suppressed_tokens_are_those_of_transformers_and_are_never_drawn(model, tokenizer, monkeypatch):
    unwanted = [token for token in range(len(tokenizer)) if not tokenizer.decode([token]).isascii()]
    assert not texts(model, tokenizer, "abcabc", max_new_tokens=20).isascii()
    monkeypatch.setattr(model.generation_config, "suppress_tokens", [*unwanted, len(tokenizer), -1])
    greedy = texts(model, tokenizer, "abcabc", max_new_tokens=20)
    assert greedy == reference(model, tokenizer, "abcabc", 20) and greedy.isascii()
    assert texts(model, tokenizer, "abcabc", max_new_tokens=20, temperature=9.0).isascii()
    monkeypatch.setattr(model, "generation_config", None)  # as of a model that transformers cannot generate with
    assert not texts(model, tokenizer, "abcabc", max_new_tokens=20).isascii()


def test_only_the_top_k_are_drawn(model, tokenizer):
    logits = torch.tensor([[0.2, 0.5, 0.3]]).log().expand(500, -1)
    generators = [torch.Generator().manual_seed(seed) for seed in range(500)]
    drawn = sample(logits, GenerationSettings(temperature=1.0, top_k=2), generators)
    assert set(drawn.tolist()) == {1, 2}
    greedy = texts(model, tokenizer, "x", max_new_tokens=20)
    assert texts(model, tokenizer, "x", max_new_tokens=20, temperature=1.0, top_k=1) == greedy


def test_a_prompt_that_fits_nowhere(model, tokenizer):
    settings = GenerationSettings()
    for prompt, message in [("x" * CONTEXT, f"{CONTEXT} tokens.*Shorten the prompt by at least 1 "), ("", "empty")]:
        with pytest.raises(UserError, match=message):
            stream(model, tokenizer, encode_prompts([prompt], tokenizer), settings)
        with pytest.raises(UserError, match=message):
            generate_batch(model, tokenizer, ["fine", prompt], settings)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_model_is_asked_with_the_ids_it_was_trained_on(model, template):
    """Also where the question spells special tokens."""
    tokenizer, asked = chat_tokenizer(), []
    pair = {"instruction": "Add <|im_end|>", "input": "1 <|im_start|>", "response": "x"}
    rows = dataset.tokenize([pair], tokenizer, template)

    class Listening(Scripted):
        def forward(self, input_ids, **_):
            asked.append(input_ids[0].tolist())
            return super().forward(input_ids)

    prompt = format_prompt(pair["instruction"], pair["input"], template, tokenizer)
    scripted = Listening(model, [tokenizer.eos_token_id])
    scripted.config = copy.copy(model.config)
    scripted.config.max_position_embeddings = 500
    generate_batch(scripted, tokenizer, [prompt], GenerationSettings(max_new_tokens=1), template)
    assert asked == [rows[0][: rows.prompt_lengths[0]].tolist()]


@pytest.mark.parametrize(
    "wrong",
    [
        dict(max_new_tokens=0),
        dict(temperature=-1),
        dict(temperature=float("nan")),
        dict(top_p=0),
        dict(top_p=1.1),
        dict(top_k=-1),
        dict(repetition_penalty=0),
        dict(stop=("",)),
        dict(seed=-1),
    ],
)
def test_wrong_settings_name_the_value_and_the_limit(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(UserError, match=f"{name} must be .*got {re.escape(str(value))}"):
        GenerationSettings(**wrong)


def test_answers_without_a_cache_stay_within_the_context(tokenizer, monkeypatch):
    torch.manual_seed(0)
    sizes = dict(n_layer=1, n_embd=16, n_head=2, n_positions=16)
    config = GPTBigCodeConfig(**sizes, vocab_size=len(tokenizer), eos_token_id=None)
    network = GPTBigCodeForCausalLM(config).eval()
    monkeypatch.setattr(decoding, "_is_exact", lambda *_: False)
    rows, settings = [[5] * 14, [6] * 3, [7] * 4], GenerationSettings(max_new_tokens=12)
    together = [answer.text for answer in generate_rows(network, tokenizer, rows, settings)]
    assert together == [generate_rows(network, tokenizer, [row], settings)[0].text for row in rows]
