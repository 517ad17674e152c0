"""The pretraining corpus of the embedded model: files of code as token rows, a share of them as fill-in-the-middle."""

import math
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from utils import artifacts, files
from utils.config import EMBEDDED, RunConfig
from utils.data.basics import pairs as basics
from utils.data.pairs import TRAIN, VALIDATION, is_drawn
from utils.errors import UserError
from utils.model import loading
from utils.pretraining import textbook
from utils.pretraining.code_files import Document, distinct, documents
from utils.pretraining.presets import BASE_TEXTBOOK, FIM_RATES, NEW_SHARES, PRESETS, PYTHON_CORPUS
from utils.runs import curves
from utils.tokens import dataset
from utils.tokens.prompts import encode_texts

END, PREFIX, MIDDLE, SUFFIX = range(4)  # the ids of `loading.SPECIAL_TOKENS`
MAX_BASE_BYTES = 15 * 2**20
# Minimum tokens of a text with a gap. Lengths are log-uniform: if all texts ended near the same positions, the model
# would learn to stop there.
MIN_GAP_LENGTH = 64
CHARACTER_RATE = 1 / 3  # of the gaps, cut between any two characters; the others are whole lines
NUM_GAP_LINES = (1, 1, 1, 1, 2, 3)
SUFFIX_FIRST_RATE = 0.7  # with the prefix right before the middle, the easier order to learn
LINE = re.compile(r"[^\S\n]*(\S[^\n]*)")
INDENTED_RATE = 0.5  # of the gaps of whole lines, those that begin at the start of a line
REPEATED_SHARE, REPEATED_STDLIB_SHARE = 0.02, 0.4  # of the files, and of the standard library's, in the third run
STDLIB_LICENSE, NUM_STDLIB_COPIES = "PSF-2.0", 3  # the library of the pairs; a share of it in the third run
ROOM_FOR_MARKS = 16  # special tokens, and the extra tokens of a text cut in three


def _copies(document: Document, num_stdlib: int) -> list[Document]:
    """The document, repeated for the standard library; each copy has other gaps."""
    is_repeated = document.license == STDLIB_LICENSE and document.split == TRAIN
    return [replace(document, name=f"{document.name} {copy}") for copy in range(num_stdlib if is_repeated else 1)]


def pieces(lines: list[str], counts: list[int], lengths: Iterator[int]) -> list[str]:
    """Lines joined into pieces of at most the next of `lengths` tokens; `counts` are the tokens of each line.

    A longer line is a piece of its own.
    """
    whole, piece, used, length = [], [], 0, next(lengths)
    for line, num_tokens in zip(lines, counts, strict=True):
        if piece and used + num_tokens > length:
            whole.append("".join(piece))
            piece, used, length = [], 0, next(lengths)
        piece.append(line)
        used += num_tokens
    return [*whole, "".join(piece)] if piece else whole


def fill_in_the_middle(text: str, draw: random.Random) -> list[str | int]:
    """A text with a gap as the parts of a row: ids of special tokens, and texts, each tokenized on its own.

    Two orders: prefix, suffix, middle, and suffix, prefix, middle (Bavarian et al. 2022, arXiv:2207.14255, with
    StarCoder's tokens). Gaps of whole lines are our addition.
    """
    first, second = _gap(text, draw)
    prefix, middle, suffix = text[:first], text[first:second], text[second:]
    if draw.random() < SUFFIX_FIRST_RATE:
        return [PREFIX, SUFFIX, suffix, MIDDLE, prefix, middle, END]
    return [PREFIX, prefix, SUFFIX, suffix, MIDDLE, middle, END]


def _gap(text: str, draw: random.Random) -> tuple[int, int]:
    """Start and end of a gap: between any two characters, or whole lines, half of them behind the indentation."""
    whole = draw.random() < INDENTED_RATE
    lines = [match.span(0 if whole else 1) for match in LINE.finditer(text)]
    if not lines or draw.random() < CHARACTER_RATE:
        first, second = sorted(draw.randint(0, len(text)) for _ in range(2))
        return first, second
    index = draw.randrange(len(lines))
    last = min(index + draw.choice(NUM_GAP_LINES), len(lines)) - 1
    return lines[index][0], lines[last][1]


def _length(context: int, draw: random.Random) -> int:
    """A number of tokens, log-uniform."""
    return round(math.exp(draw.uniform(math.log(MIN_GAP_LENGTH), math.log(context))))


def token_rows(documents: list[Document], tokenizer, context: int, fim_rate: float, seed: int) -> dataset.TokenRows:
    """The documents as rows of at most `context` tokens, all of them target tokens; longer rows are dropped.

    A long document becomes several rows. The last one, and every row with a gap, ends with end-of-text.
    """
    lines = [document.text.splitlines(keepends=True) for document in documents]
    counts = iter(encode_texts([line for some in lines for line in some], tokenizer))
    rows: list[list[str | int]] = []
    for document, some in zip(documents, lines, strict=True):
        draw = random.Random(f"{seed} {document.name}")
        has_gaps = draw.random() < fim_rate
        lengths = ((_length(context, draw) if has_gaps else context) - ROOM_FOR_MARKS for _ in count())
        parts = pieces(some, [len(next(counts)) for _ in some], lengths)
        if has_gaps:
            rows += [fill_in_the_middle(piece, draw) for piece in parts]
        else:
            rows += [[piece] for piece in parts[:-1]] + [[piece, END] for piece in parts[-1:]]
    encoded = iter(encode_texts([part for row in rows for part in row if isinstance(part, str)], tokenizer))
    ids = [[id for part in row for id in (next(encoded) if isinstance(part, str) else [part])] for row in rows]
    ids = [row for row in ids if 1 < len(row) <= context]
    return dataset.TokenRows.of(ids, [0] * len(ids), np.uint16)


def prepare(data_dir: Path, config: RunConfig, start: Path) -> tuple[Path, bool]:
    """Write the token rows, and an untrained model to `start` if it has none; returns whether they were up to date."""
    files_of_code, fim_rate = documents(), FIM_RATES[config.preset]
    if not (start / "config.json").exists():
        files.make_folder(start, files.PRIVATE)
        loading.create_fresh(start, (document.text for document in files_of_code if document.split == TRAIN))
    tokenizer, folder = loading.load_tokenizer(str(start)), artifacts.tokens_dir(data_dir, config)
    inputs = {
        "documents": artifacts.sha256_text(
            "".join(f"{document.name} {artifacts.sha256_text(document.text)}" for document in files_of_code)
        ),
        "tokenizer": dataset.tokenization(config, tokenizer)["tokenizer"],
        "seed": str(config.seed),
        "fim_rate": str(fim_rate),
        "code": artifacts.code_sha256(__name__),
    }
    has_textbook = config.preset == BASE_TEXTBOOK.preset
    inputs |= {"textbook": basics.sha256()} if has_textbook else {}
    if not artifacts.stale_inputs(folder, inputs):
        return folder, True
    files_of_code = distinct(files_of_code)
    if has_textbook:
        # Some files are read again, so that the model forgets less of them.
        files_of_code = [one for one in files_of_code if _is_repeated(one)] + textbook.documents()
    num_stdlib = 1 if has_textbook else NUM_STDLIB_COPIES
    facts: dict[str, Any] = {}
    with artifacts.building(folder, inputs, facts) as temporary:
        for split, rate in ((TRAIN, fim_rate), (VALIDATION, 0.0)):
            of_split = [document for document in files_of_code if document.split == split]
            chosen = [copy for document in of_split for copy in _copies(document, num_stdlib)]
            batches = (chosen[start : start + 200] for start in range(0, len(chosen), 200))
            chunks = (token_rows(batch, tokenizer, config.max_length, rate, config.seed) for batch in batches)
            num_rows, num_tokens = dataset.save(temporary, split, chunks, np.uint16)
            facts |= {f"num_{split}": num_rows, f"num_tokens_{split}": num_tokens}
        facts["num_documents"], facts["origins"] = len(files_of_code), _origins(files_of_code)
    return folder, False


def _is_repeated(document: Document) -> bool:
    share = REPEATED_STDLIB_SHARE if document.license == STDLIB_LICENSE else REPEATED_SHARE
    return document.split == VALIDATION or is_drawn(document.name, share)


def _origins(documents: list[Document]) -> list[dict[str, Any]]:
    """Each package with its licence and size."""
    sizes_of: dict[tuple[str, str], list[int]] = {}
    for document in documents:
        sizes_of.setdefault((document.origin, document.license), []).append(len(document.text))
    return [
        {"origin": origin, "license": license, "num_files": len(sizes), "num_characters": sum(sizes)}
        for (origin, license), sizes in sizes_of.items()
    ]


def export(run_dir: Path, folder: Path) -> None:
    """Save a finished run's model in bfloat16, with its sources, those of the run it started from, and its loss curve.

    With `NEW_SHARES` its weights are averaged with those that it started from. Raises `UserError` when these are no
    longer there, and when the model is too large.
    """
    network, tokenizer = loading.load(str(run_dir / "model"))
    config = RunConfig.load(run_dir / "config.json")
    corpus = artifacts.require(artifacts.tokens_dir(run_dir.parents[1], config), "utils.pretraining")["facts"]
    facts = artifacts.require(run_dir, "utils.pretraining")["facts"] | {"preset": config.preset, "corpus": corpus}
    if config.preset in NEW_SHARES:
        facts["new_share"] = NEW_SHARES[config.preset]
        _average(network, run_dir, config)
    if config.model_name_or_path == EMBEDDED:
        facts["went_on_from"] = artifacts.require(folder, "utils.pretraining")["facts"]
    with artifacts.building(folder, {}, facts) as temporary:
        # They begin the parts of a masked span, and are never part of an answer.
        network.generation_config.suppress_tokens = [PREFIX, MIDDLE, SUFFIX]
        loading.save(network.bfloat16(), tokenizer, temporary)
        earlier = [path for path in _earlier(run_dir, config) if path.exists()]
        figure = curves.compare([curves.Run.load(path) for path in (*earlier, run_dir)], x="tokens", smoothing=0.95)
        figure.savefig(temporary / "loss_curve.png", dpi=110)
        num_bytes = (temporary / "model.safetensors").stat().st_size
        if num_bytes > MAX_BASE_BYTES:
            raise UserError(f"the model has {num_bytes:,} bytes, at most {MAX_BASE_BYTES:,} are allowed.")


def _average(network: torch.nn.Module, run_dir: Path, config: RunConfig) -> None:
    """Average the weights of a run's model with those that it started from."""
    if artifacts.require(run_dir, "utils.pretraining")["base_identity"] != loading.identity(config):
        raise UserError(
            f"{config.model_name_or_path} is no longer the model that {run_dir.name} started from. Restore it, and "
            "export again."
        )
    start, _ = loading.load(config.model_name_or_path)
    with torch.no_grad():
        for weight, earlier in zip(network.parameters(), start.parameters(), strict=True):
            weight.lerp_(earlier, 1 - NEW_SHARES[config.preset])


def _earlier(run_dir: Path, config: RunConfig) -> list[Path]:
    """The runs that this one continued."""
    presets = list(PRESETS)
    return [run_dir.with_name(f"{preset}-{PYTHON_CORPUS}") for preset in presets[: presets.index(config.preset)]]
