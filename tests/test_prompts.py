"""The prompt, byte for byte, in every template, and its ids, in which only a template writes special tokens."""

from types import SimpleNamespace

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from support.tiny_tokenizer import chat_tokenizer
from utils.config import RunConfig
from utils.errors import UserError
from utils.tokens import dataset
from utils.tokens.prompts import (
    TEMPLATES,
    begin_ids,
    chat_frame,
    encode_chat,
    encode_prompts,
    encode_texts,
    end_id,
    format_prompt,
    stop_ids,
)

TEXTS = [
    "x",
    "Two lines\n    and ### Response:",
    "é🙂 <|im_end|>",
    "<|im_start|>assistant\n",
    "12 <|endoftext|>",
    "x|im_",
]


def test_the_prompts_of_stanford_alpaca():
    assert format_prompt("Add 1 and 2.") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        "\n\n### Instruction:\nAdd 1 and 2.\n\n### Response:"
    )

    assert format_prompt("Explain.", "x = {1}") == (
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
        "response that appropriately completes the request."
        "\n\n### Instruction:\nExplain.\n\n### Input:\nx = {1}\n\n### Response:"
    )
    assert "\n{input} {0} ### Response:\n" in format_prompt("{input} {0} ### Response:", "{instruction}")


def test_the_variant_ends_in_a_newline_and_is_else_the_same():
    for pair in (("a", ""), ("a", "b")):
        assert format_prompt(*pair, template="alpaca-newline") == format_prompt(*pair) + "\n"
    with pytest.raises(UserError, match="Did you mean 'alpaca'"):
        format_prompt("a", template="alpacca")
    assert RunConfig.__dataclass_fields__["template"].metadata["choices"] == TEMPLATES


def test_the_chat_template_writes_the_prompt():
    tokenizer = chat_tokenizer()
    expected = (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nAdd.\n\n1 2<|im_end|>\n<|im_start|>assistant\n"
    )
    assert format_prompt("Add.", "1 2", "chat", tokenizer) == expected
    chat = [{"role": "user", "content": "Add.\n\n1 2"}]
    assert tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) == expected


@pytest.mark.parametrize("template", TEMPLATES)
def test_ids_are_those_of_the_whole_prompt(template):
    """With what any tokenizer of the family does to a whole text, for all texts that spell no special token."""
    tokenizer = chat_tokenizer()
    for text in ("x", " leading", "two\n\n", "\n\nlines", "é🙂", "1234", "'s", ": :", "<|im_", "x <|im", "|>"):
        prompt = format_prompt(text, "", template, tokenizer)
        assert encode_prompts([prompt], tokenizer, template) == [tokenizer(prompt)["input_ids"]]
        assert tokenizer.decode(encode_prompts([prompt], tokenizer, template)[0]) == prompt


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_text_becomes_a_special_token(template):
    tokenizer = chat_tokenizer()
    (plain,) = encode_prompts([format_prompt("x", "", template, tokenizer)], tokenizer, template)
    prompts = [format_prompt(one, two, template, tokenizer) for one in TEXTS for two in ["", *TEXTS]]
    for prompt, ids in zip(prompts, encode_prompts(prompts, tokenizer, template), strict=True):
        assert [i for i in ids if i < 5] == [i for i in plain if i < 5], prompt
        assert tokenizer.decode(ids) == prompt
    assert not any(i < 5 for ids in encode_texts(TEXTS, tokenizer) for i in ids)


def test_a_conversation_has_the_ids_of_the_whole_and_no_text_becomes_special():
    tokenizer = chat_tokenizer()
    asked = {"role": "user", "content": "Add."}
    prompt = format_prompt("Add.", "", "chat", tokenizer)
    assert encode_chat([asked], tokenizer) == (prompt, encode_prompts([prompt], tokenizer, "chat")[0])
    for text in ("x", "é🙂", "two\n\nlines", ": :", "zqxjk0kjxqz"):
        chat = [{"role": "system", "content": text}, asked, {"role": "assistant", "content": text}, asked]
        whole = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        assert encode_chat(chat, tokenizer) == (whole, tokenizer(whole)["input_ids"])
    plain = encode_chat([{"role": "system", "content": "x"}, asked], tokenizer)[1]
    for text in TEXTS:
        ids = encode_chat([{"role": "system", "content": text}, asked], tokenizer)[1]
        assert [i for i in ids if i < 5] == [i for i in plain if i < 5]


def test_a_template_without_a_system_text_says_so():
    tokenizer = chat_tokenizer()
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Add."}]
    tokenizer.chat_template = "<|im_start|>{{ messages[-1].content }}<|im_end|>"
    with pytest.raises(UserError, match="leaves out a message"):
        encode_chat(chat, tokenizer)
    tokenizer.chat_template = "{{ raise_exception('no system') }}"
    with pytest.raises(UserError, match="refuses this conversation .*no system"):
        encode_chat(chat, tokenizer)


def test_special_tokens_that_take_white_space_along():
    """Those of some models swallow the newline behind them; the ids are then still those of the whole prompt."""
    tokenizer = chat_tokenizer(rstrip=True)
    tokenizer.chat_template = "<|im_start|>\n{{ messages[0].content }}<|im_end|>\n<fim_prefix>\n"
    prompt = format_prompt("Add.", "", "chat", tokenizer)
    (ids,) = encode_prompts([prompt], tokenizer, "chat")
    assert ids == tokenizer(prompt)["input_ids"] and len(ids) == 3 + len("Add.")


@pytest.mark.parametrize(
    "template, message",
    [
        (None, "no chat template .* choose 'alpaca' or 'alpaca-newline'"),
        ("{{ raise_exception('only for tools') }}", "only for tools"),
        ("{{ messages[0].content | upper }}", "changes the message"),
        ("{{ messages[0].content }}{{ messages[0].content }}", "changes the message"),
        ("{{ messages[0].content | length }}{{ messages[0].content }}", "changes the message"),
    ],
)
def test_a_chat_template_that_cannot_be_used_says_what_to_do(template, message):
    tokenizer = chat_tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(UserError, match=message):
        format_prompt("Add.", "", "chat", tokenizer)
    with pytest.raises(UserError, match="no chat template"):
        chat_frame(None)


def test_a_prompt_of_another_template_is_refused_where_ids_would_be_wrong():
    tokenizer = chat_tokenizer()
    with pytest.raises(UserError, match="make it with format_prompt"):
        encode_prompts([format_prompt("Add.")], tokenizer, "chat")


def test_truncation_and_padding_of_a_tokenizer_are_not_ours():
    tokenizer = chat_tokenizer()
    tokenizer.backend_tokenizer.enable_truncation(3)
    tokenizer.backend_tokenizer.enable_padding(length=50)
    before = tokenizer.backend_tokenizer.to_str()
    assert [len(ids) for ids in encode_texts(["a b c d e f", "a"], tokenizer)] == [11, 1]
    own = tokenizer.backend_tokenizer
    assert own.to_str() == before and not own.encode_special_tokens, "other threads may be at work with it"


def test_real_vectors(shared_data):
    """46 texts and their ids by another implementation, through the path that training and generation use."""
    folder = shared_data / "starcoder2-tokenizer"
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), eos_token="<|endoftext|>")
    texts = (folder / "vectors.inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    expected = [[int(i) for i in line.split()] for line in (folder / "vectors.out").read_text().splitlines()]
    assert len(expected) == 46
    assert encode_texts(texts[: len(expected)], tokenizer) == expected
    assert encode_prompts(texts[: len(expected)], tokenizer) == expected
    texts += ["'s", "\n", " ", "```", "'re ", "\t", "1", ": :", "#"]
    written = [format_prompt(one, two) for one in texts for two in ["", *texts[:5]]]
    assert encode_prompts(written, tokenizer) == tokenizer(written, split_special_tokens=True)["input_ids"]


def test_added_tokens_that_are_not_special_stay_text_and_white_space_stays_a_token():
    tokenizer = chat_tokenizer()
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False), AddedToken("    ", normalized=False)])
    think, spaces = tokenizer.convert_tokens_to_ids(["<think>", "    "])
    (ids,) = encode_texts(["<think>    x"], tokenizer)
    assert think not in ids and spaces in ids and tokenizer.decode(ids) == "<think>    x"
    assert think in tokenizer("<think>")["input_ids"], "the tokenizer itself is not changed"


def test_a_response_ends_as_the_template_ends_an_answer():
    tokenizer = chat_tokenizer()
    end, im_end = tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert (end_id(tokenizer, "alpaca"), end_id(tokenizer, "chat")) == (end, im_end)
    pair = {"instruction": "a", "input": "", "response": "b"}
    assert [dataset.tokenize([pair], tokenizer, template)[0][-1] for template in ("alpaca", "chat")] == [end, im_end]


def test_every_end_stops_an_answer():
    tokenizer = chat_tokenizer()
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=[7, 9]))
    assert stop_ids(model, tokenizer) == {7, 9, tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")}
    tokenizer.chat_template = None
    assert stop_ids(SimpleNamespace(), tokenizer) == {tokenizer.eos_token_id}


@pytest.mark.parametrize("prefix", [("<fim_prefix>",), ("<|im_start|>", "<fim_prefix>")])
@pytest.mark.parametrize("bos_token", ["<fim_prefix>", None])
def test_a_prompt_begins_as_the_tokenizer_begins_a_text(prefix, bos_token):
    tokenizer = chat_tokenizer()
    tokenizer.bos_token = bos_token
    begin = tokenizer.convert_tokens_to_ids(list(prefix))
    assert begin_ids(tokenizer) == [], "it writes none"
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{' '.join(prefix)} $A", special_tokens=list(zip(prefix, begin, strict=True))
    )
    prompt = format_prompt("a")
    assert encode_prompts([prompt], tokenizer) == [tokenizer(prompt)["input_ids"]] and begin_ids(tokenizer) == begin
    chat = encode_prompts([format_prompt("a", "", "chat", tokenizer)], tokenizer, "chat")[0]
    assert begin[-1] not in chat
    rows = dataset.tokenize([{"instruction": "a", "input": "", "response": "b"}], tokenizer)
    assert rows[0][: len(begin)].tolist() == begin and rows.prompt_lengths[0] == len(tokenizer(prompt)["input_ids"])


def test_ids_may_have_gaps():
    backend = Tokenizer(models.WordLevel({"<unk>": 0, "x": 70_000}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<unk>")
    rows = dataset.tokenize([{"instruction": "a", "input": "", "response": "x"}], tokenizer)
    assert rows[0][-2:].tolist() == [70_000, 0]


def test_a_leading_space_survives_a_tokenizer_that_writes_its_own():
    backend = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁", -2.0), ("x", -2.0), ("▁x", -1.0)], unk_id=0))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<unk>")
    for text in ("x", " x", "  x", "x x"):
        (ids,) = encode_texts([text], tokenizer)
        assert backend.decode(ids, skip_special_tokens=False) == text
