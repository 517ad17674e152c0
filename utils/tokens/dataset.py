"""The tokenized dataset: pairs as token ids in memory-mapped arrays, made by notebook 02 and read by every run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from utils import artifacts
from utils.config import RunConfig
from utils.errors import UserError
from utils.tokens.prompts import (
    CHAT,
    chat_frame,
    encode_prompts,
    encode_texts,
    end_id,
    format_prompt,
    plain_backend,
)

SPLITS = ("train", "validation")
# Pairs are tokenized in chunks, to bound the memory.
CHUNK_ROWS, CHUNK_CHARACTERS = 4096, 2**23


@dataclass(frozen=True)
class TokenRows:
    """Pairs as token ids: row i is `ids[offsets[i]:offsets[i + 1]]`, its first `prompt_lengths[i]` ids the prompt."""

    ids: np.ndarray  # (total tokens,)
    offsets: np.ndarray  # (rows + 1,)
    prompt_lengths: np.ndarray  # (rows,)

    @classmethod
    def of(cls, rows: list[list[int]], prompt_lengths: list[int], dtype: type) -> "TokenRows":
        offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        ids = np.fromiter(chain.from_iterable(rows), dtype=dtype, count=int(offsets[-1]))
        return cls(ids, offsets, np.array(prompt_lengths, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.prompt_lengths)

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.ids[self.offsets[row] : self.offsets[row + 1]]


def tokenize(pairs: list[dict[str, Any]], tokenizer, template: str = "alpaca") -> TokenRows:
    """Prompt, response and end of every pair as ids, with prompt and response tokenized separately.

    In one string the prompt's last `:` could merge with the response's first character, and the model would train on a
    context that it never sees in generation. Special tokens spelled out in a pair stay text.
    """
    texts = [format_prompt(pair["instruction"], pair["input"], template, tokenizer) for pair in pairs]
    prompts = encode_prompts(texts, tokenizer, template)
    responses = encode_texts([pair["response"] for pair in pairs], tokenizer)
    end = [end_id(tokenizer, template)]
    rows = [prompt + response + end for prompt, response in zip(prompts, responses, strict=True)]
    return TokenRows.of(rows, [len(prompt) for prompt in prompts], _id_dtype(tokenizer))


def prepare(data_dir: Path, config: RunConfig, tokenizer) -> tuple[Path, bool]:
    """Tokenize the pairs of `config`; returns their folder, and whether it was already up to date.

    Raises `UserError` when the pairs are missing. Not covered: leaving out long rows, which a run does.
    """
    from utils.data import pairs  # imported here: training needs only the arrays

    pairs_dir, folder = artifacts.pairs_dir(data_dir, config.pairs), artifacts.tokens_dir(data_dir, config)
    made_from = artifacts.require(pairs_dir, "01_data")["files"]
    inputs = {f"{split} pairs": made_from[f"{split}.jsonl"] for split in SPLITS}
    inputs |= tokenization(config, tokenizer) | {"code": artifacts.code_sha256(__name__)}
    if artifacts.is_current(folder, inputs):
        return folder, True
    facts: dict[str, Any] = {"tokenizer": config.model_name_or_path, "template": config.template}
    with artifacts.building(folder, inputs, facts) as temporary:
        for split in SPLITS:
            chunks = (tokenize(chunk, tokenizer, config.template) for chunk in _chunks(pairs.stream(pairs_dir, split)))
            num_rows, num_tokens = save(temporary, split, chunks, _id_dtype(tokenizer))
            facts |= {f"num_{split}": num_rows, f"num_tokens_{split}": num_tokens}
    return folder, False


def tokenization(config: RunConfig, tokenizer) -> dict[str, str]:
    """The inputs of token rows that a run's tokenizer and template decide, as sha256."""
    frame = chat_frame(tokenizer) if config.template == CHAT else ()
    return {
        "tokenizer": artifacts.sha256_text(f"{plain_backend(tokenizer).to_str()} {end_id(tokenizer, config.template)}"),
        "template": artifacts.sha256_text(repr((config.template, frame))),
    }


def verify(folder: Path, config: RunConfig, tokenizer) -> None:
    """Raise `UserError` when token rows were made with another tokenizer or template, or their files were changed."""
    manifest = artifacts.require(folder, "02_alpaca_format")
    made_with = tokenization(config, tokenizer)
    differing = [name for name, value in made_with.items() if manifest["inputs"].get(name, value) != value]
    if differing := [*differing, *artifacts.changed_files(folder)]:
        raise UserError(
            f"{folder} was not made with these settings, or was changed since: {', '.join(differing)}. Run notebook "
            "02_alpaca_format again."
        )


def save(folder: Path, split: str, chunks: Iterable[TokenRows], dtype: type) -> tuple[int, int]:
    """Write chunks of rows for `load`, of which only the lengths are kept in memory; the number of rows and tokens."""
    lengths, prompt_lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    with open(folder / f"{split}.ids.npy", "wb") as file:
        _write_header(file, dtype, 0)
        for rows in chunks:
            file.write(rows.ids.astype(dtype).data)
            lengths.append(rows.lengths)
            prompt_lengths.append(rows.prompt_lengths)
        offsets = np.concatenate([np.zeros(1, np.int64), np.concatenate(lengths).cumsum()])
        file.seek(0)
        _write_header(file, dtype, int(offsets[-1]))
    np.save(folder / f"{split}.offsets.npy", offsets)
    np.save(folder / f"{split}.prompt_lengths.npy", np.concatenate(prompt_lengths))
    return len(offsets) - 1, int(offsets[-1])


def _write_header(file, dtype: type, length: int) -> None:
    """The header of an array in a .npy file, of a fixed size: numpy reserves room for the first dimension to grow."""
    form = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, form)


def _chunks(pairs: Iterable[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    chunk: list[dict[str, str]] = []
    num_characters = 0
    for pair in pairs:
        chunk.append(pair)
        num_characters += len(pair["instruction"]) + len(pair["input"]) + len(pair["response"])
        if len(chunk) >= CHUNK_ROWS or num_characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, num_characters = [], 0
    if chunk:
        yield chunk


def _id_dtype(tokenizer) -> type:
    # Not the number of tokens: ids may have gaps.
    return np.uint16 if max(tokenizer.get_vocab().values()) < 2**16 else np.uint32


def check_ids(rows: TokenRows, vocab_size: int) -> None:
    """Raise `UserError` when a row has an id for which the model has no embedding."""
    largest = int(rows.ids.max(initial=0))
    if largest >= vocab_size:
        raise UserError(
            f"the token rows have ids up to {largest:,}, but the model has {vocab_size:,} embeddings: its tokenizer "
            f"is not that of the model. Use the model's own tokenizer, and run notebook 02 again."
        )


def load(folder: Path, split: str) -> TokenRows:
    """The rows of `train` or `validation`, memory-mapped; raises `UserError` when they are missing."""
    artifacts.require(folder, "02_alpaca_format")
    names = ("ids", "offsets", "prompt_lengths")
    return TokenRows(*(np.load(folder / f"{split}.{name}.npy", mmap_mode="r") for name in names))
