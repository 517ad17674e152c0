"""The decoding loop against transformers' own, on a tiny random model."""

import copy
from threading import Event

import pytest
import torch
from tiny_tokenizer import chat_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM, PreTrainedTokenizerFast

from utils import packing
from utils.errors import UserError
from utils.generate import GenerationSettings, _choose, generate_batch, stream
from utils.prompts import TEMPLATES, format_prompt

SPECIALS = ["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>"]
CONTEXT = 64
PROMPTS = ["def add(a, b):", "x", "a rather longer prompt, é and all"]


@pytest.fixture(scope="module")
def tokenizer():
    """Every byte is a token, so that every character beyond ASCII is spread over several."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(SPECIALS + letters)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True) for token in SPECIALS])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=SPECIALS[0], pad_token=SPECIALS[4])


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
    """A model that writes the given ids, whatever it is asked."""

    def __init__(self, model, ids):
        super().__init__()
        self.config, self.device, self.ids = model.config, model.device, list(ids)

    def forward(self, input_ids, **_):
        logits = torch.nn.functional.one_hot(torch.tensor([[self.ids.pop(0)]]), self.config.vocab_size).float()
        return type("Output", (), {"logits": logits})


def texts(model, tokenizer, prompt, **settings):
    return "".join(stream(model, tokenizer, prompt, GenerationSettings(**settings)))


def reference(model, tokenizer, prompt, max_new_tokens):
    """Greedy text from transformers' `generate`, without end-of-text."""
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    new = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
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


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_row_of_a_batch_is_the_row_alone(model, tokenizer, stopping, temperature):
    """Rows that end at the end of the context, and rows that end on their own, at different steps."""
    settings = GenerationSettings(max_new_tokens=CONTEXT, temperature=temperature, top_p=0.95, seed=3)
    for tokens in (tokenizer, stopping):
        streams = [stream(model, tokens, prompt, settings) for prompt in PROMPTS]
        alone = [("".join(one), one.reason) for one in streams]
        assert generate_batch(model, tokens, PROMPTS, settings) == alone
        assert len({len(text) for text, _ in alone}) > 1
    assert generate_batch(model, tokenizer, [], settings) == []


def test_a_seed_gives_its_text_whatever_else_draws(model, tokenizer):
    sampled = dict(max_new_tokens=20, temperature=1.0)
    settings = GenerationSettings(seed=1, **sampled)
    first = texts(model, tokenizer, "x", seed=1, **sampled)
    before = torch.get_rng_state()
    one, other = stream(model, tokenizer, "x", settings), stream(model, tokenizer, "y", settings)
    taking_turns = ""
    for piece in one:
        taking_turns += piece
        next(other, "")
    assert taking_turns == first
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
    drawn = _choose(logits, GenerationSettings(temperature=1.0, top_p=0.7), generators)
    counts = torch.bincount(drawn, minlength=3) / 2000
    assert counts[0] == 0
    assert counts[1].item() == pytest.approx(5 / 8, abs=0.04)


def test_pieces_hold_whole_characters(model, tokenizer):
    text = "a é 👩‍💻 中文 🎉z"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = list(stream(Scripted(model, [*ids, 0]), tokenizer, "x", GenerationSettings(max_new_tokens=60)))
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)
    assert max(map(len, pieces)) == 1, "a character is written as soon as it is whole"


def test_broken_bytes_and_special_tokens_are_shown(model, tokenizer):
    emoji = tokenizer("🎉", add_special_tokens=False)["input_ids"]
    ids = [*emoji[:2], *emoji, 1, *emoji[:3]]  # cut off, whole, <fim_prefix>, cut off by the end
    pieces = stream(Scripted(model, ids), tokenizer, "x", GenerationSettings(max_new_tokens=len(ids)))
    assert "".join(pieces) == tokenizer.decode(ids, skip_special_tokens=False) == "\ufffd🎉<fim_prefix>\ufffd"


def test_why_it_ended(model, tokenizer):
    def end(model, prompt="x", max_new_tokens=9, stop=None):
        answer = stream(model, tokenizer, prompt, GenerationSettings(max_new_tokens=max_new_tokens), stop)
        assert answer.reason == ""
        text = "".join(answer)
        return answer.reason, answer.num_tokens, text

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
    answer = stream(model, tokenizer, "def f():", GenerationSettings(max_new_tokens=40), stop)
    pieces = [next(answer) for _ in range(3)]
    stop.set()
    pieces += list(answer)
    assert answer.reason == "stopped"
    assert answer.num_tokens <= 8, "a character may take some tokens more, an answer not"
    assert texts(model, tokenizer, "def f():", max_new_tokens=40).startswith("".join(pieces).rstrip("\ufffd"))


def test_a_prompt_that_fits_nowhere(model, tokenizer):
    settings = GenerationSettings()
    for prompt, message in [("x" * CONTEXT, f"{CONTEXT} tokens.*Shorten the prompt by at least 1 "), ("", "empty")]:
        with pytest.raises(UserError, match=message):
            stream(model, tokenizer, prompt, settings)
        with pytest.raises(UserError, match=message):
            generate_batch(model, tokenizer, ["fine", prompt], settings)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_model_is_asked_with_the_ids_it_was_trained_on(model, template):
    """Also where the question spells special tokens, streamed and in a batch."""
    tokenizer, asked = chat_tokenizer(), []
    pair = {"instruction": "Add <|im_end|>", "input": "1 <|im_start|>", "response": "x"}
    rows = packing.tokenize([pair], tokenizer, template)

    class Listening(Scripted):
        def forward(self, input_ids, **_):
            asked.append(input_ids[0].tolist())
            return super().forward(input_ids)

    for ask in (
        lambda *given: list(stream(*given, template=template)),
        lambda model, tokenizer, prompt, settings: generate_batch(model, tokenizer, [prompt], settings, template),
    ):
        prompt = format_prompt(pair["instruction"], pair["input"], template, tokenizer)
        scripted = Listening(model, [tokenizer.eos_token_id])
        scripted.config = copy.copy(model.config)
        scripted.config.max_position_embeddings = 500
        ask(scripted, tokenizer, prompt, GenerationSettings(max_new_tokens=1))
    assert asked == [rows[0][: rows.prompt_lengths[0]].tolist()] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        dict(max_new_tokens=0),
        dict(temperature=-1),
        dict(temperature=float("nan")),
        dict(top_p=0),
        dict(top_p=1.1),
        dict(seed=-1),
    ],
)
def test_wrong_settings_name_the_value_and_the_limit(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(UserError, match=f"{name} must be .*got {value}"):
        GenerationSettings(**wrong)
