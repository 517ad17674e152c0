"""The vocabulary of a GGUF file: a byte-level BPE tokenizer in llama.cpp's terms."""

import json
import re
from collections.abc import Collection
from typing import Any

from tokenizers import Regex, pre_tokenizers

from utils.errors import UserError, short
from utils.tokens.prompts import begin_ids

LEAVE_OUT = "Leave GGUF out: FORMATS = () in notebook 07, or build --formats without a name."
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# How llama.cpp splits a text under each name, and whether it then takes a piece that is a token as it is.
PRE_TOKENIZERS: dict[str, tuple[list[str], bool]] = {
    "starcoder": ([r"\p{N}", GPT2], False),  # digits one by one
    "gpt-2": ([GPT2], False),
    "qwen2": ([WORDS.format(digits=r"\p{N}")], False),
    "llama-bpe": ([WORDS.format(digits=r"\p{N}{1,3}")], True),
}
# Texts that these names split in different ways, in Unicode's composed form (NFC).
SPLIT_TEXTS = (
    "def add(a, b):\n    return a + b\n",
    "x1234567 = 3.14159e-10 if y == 0xFF else 2**64",
    "It's we'll I'D don't THEY'RE",
    "\tfor i in range(10):\n\t\tprint(i)\r\n\r\n\n  \n x   y    ",
    "   leading, trailing   ",
    "https://example.org/a_b?c=1&d=%20#e !!! ... ((())) \"'quoted'\" ```python",
    "naïve café Straße Ωμέγα Привет 你好，世界 こんにちは ١٢٣ ²½Ⅷ x̂ é",
    "🙂👩‍👩‍👧 \u00a0no-break\u3000wide\u200bzero",
    "<|endoftext|> <fim_prefix> <|im_end|> </s> are text",
    "CamelCase snake_case SCREAMING 12ab34 a1b2",
)
FIM = re.compile(r"<\|?fim_(pre|suf|mid)(?:fix|dle)\|?>|<\|?fim_(suf)fix\|?>")


def vocabulary(tokenizer, num_rows: int, stops: Collection[int]) -> dict[str, Any]:
    """The fields of a tokenizer for an embedding of `num_rows`, whose answers end with one of the ids `stops`.

    Raises `UserError` for a tokenizer that llama.cpp would not follow. Not covered: text that is not in NFC, which some
    tokenizers compose first and llama.cpp does not.
    """
    from gguf import Keys, TokenType

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    model = state["model"]
    name = pre_tokenizer(tokenizer, state)
    if len(tokenizer) > num_rows:
        raise UserError(
            f"the tokenizer has {len(tokenizer):,} tokens, and the model's embedding {num_rows:,} rows, so llama.cpp "
            "would refuse the file. Use the tokenizer that belongs to the model."
        )
    texts = {token_id: text for text, token_id in tokenizer.get_vocab().items()}
    types = dict.fromkeys(texts, TokenType.NORMAL)
    for token_id, token in tokenizer.added_tokens_decoder.items():
        types[token_id] = TokenType.CONTROL if token.special else TokenType.USER_DEFINED
    keys = Keys.Tokenizer
    fields: dict[str, Any] = {
        keys.MODEL: "gpt2",  # byte-level BPE
        keys.PRE: name,
        keys.LIST: [texts.get(row, f"[PAD{row}]") for row in range(num_rows)],
        keys.TOKEN_TYPE: [int(types.get(row, TokenType.UNUSED)) for row in range(num_rows)],
        keys.MERGES: [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]],
        keys.ADD_BOS: _adds_bos(tokenizer),
        keys.ADD_EOS: False,
        keys.EOS_ID: tokenizer.eos_token_id,
        keys.BOS_ID: tokenizer.bos_token_id,
        keys.PAD_ID: tokenizer.pad_token_id,
        keys.UNK_ID: tokenizer.unk_token_id,
    }
    others = sorted(set(stops) - {tokenizer.eos_token_id})
    fields |= dict(zip((keys.EOT_ID, keys.EOM_ID), others, strict=False))
    if len(others) > 2:
        raise UserError(f"an answer may end with {len(others) + 1} tokens; a GGUF file names at most 3. {LEAVE_OUT}")
    fim = {"pre": keys.FIM_PRE_ID, "suf": keys.FIM_SUF_ID, "mid": keys.FIM_MID_ID}
    for token_id, token in tokenizer.added_tokens_decoder.items():
        if match := FIM.fullmatch(token.content):
            fields[fim[match[1] or match[2]]] = token_id
    return {key: value for key, value in fields.items() if value is not None}


def pre_tokenizer(tokenizer, state: dict[str, Any]) -> str:
    """The name under which llama.cpp splits texts as this tokenizer does; raises `UserError` when there is none."""
    model, own = state["model"], tokenizer.backend_tokenizer.pre_tokenizer
    normalizer = (state["normalizer"] or {}).get("type")
    is_bpe = model["type"] == "BPE" and not any(
        model.get(name) for name in ("byte_fallback", "continuing_subword_prefix", "end_of_word_suffix", "dropout")
    )
    if not is_bpe or (state["decoder"] or {}).get("type") != "ByteLevel" or normalizer not in (None, "NFC"):
        raise UserError(
            f"only byte-level BPE tokenizers can be written to a GGUF file here; this one is {short(model['type'])} "
            f"with the normalizer {short(normalizer)}. {LEAVE_OUT}"
        )
    splits = [_pieces(own, text) for text in SPLIT_TEXTS]
    ignores_merges = bool(model.get("ignore_merges"))
    for name, (patterns, ignores) in PRE_TOKENIZERS.items():
        steps = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
        other = pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        if ignores == ignores_merges and splits == [_pieces(other, text) for text in SPLIT_TEXTS]:
            return name
    raise UserError(
        "llama.cpp would split texts in other ways than this tokenizer, so its answers would differ; known: "
        f"{', '.join(PRE_TOKENIZERS)}. {LEAVE_OUT}"
    )


def _pieces(splitter, text: str) -> list[str]:
    return [piece for piece, _ in splitter.pre_tokenize_str(text)] if splitter else [text]


def _adds_bos(tokenizer) -> bool:
    """Whether the tokenizer puts BOS before a text; raises `UserError` when it adds anything else."""
    begin = begin_ids(tokenizer)
    plain = tokenizer("x", add_special_tokens=False)["input_ids"]
    if begin not in ([], [tokenizer.bos_token_id]) or tokenizer("x")["input_ids"] != begin + plain:
        raise UserError(f"the tokenizer adds other tokens than BOS to a text. {LEAVE_OUT}")
    return bool(begin)
