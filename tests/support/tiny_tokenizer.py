"""A tokenizer with a chat template, small enough to be made for each test."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<fim_prefix>", "<fim_pad>"]
CHAT_TEMPLATE = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


MERGES = [(":", "Ċ"), ("Ċ", "Ċ"), ("Ġ", "Ġ"), ("|", ">"), ("i", "m"), (":", "d"), ("e", "r")]


def byte_tokenizer(specials: list[str], merges=(), rstrip: bool = False) -> PreTrainedTokenizerFast:
    """Ids 0 to 4 are special, then every byte is a token, and some pairs of bytes are merged as GPT-2 would."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*specials, *letters, *map("".join, merges)])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=list(merges)))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, rstrip=rstrip, normalized=False) for token in specials])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=specials[0], pad_token=specials[4])


def chat_tokenizer(rstrip: bool = False) -> PreTrainedTokenizerFast:
    tokenizer = byte_tokenizer(SPECIALS, MERGES, rstrip)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
