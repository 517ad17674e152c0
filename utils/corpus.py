"""The code that the embedded base model learns from, as token rows for the same training engine.

The standard library and the installed packages with a permissive licence, a file a document, half of them turned into
fill-in-the-middle. `python -m utils.corpus` makes the rows and a run of preset `base`, which `utils.train` trains.
"""

import argparse
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from utils import artifacts, curves, model, packing
from utils.code_files import TRAIN, VALIDATION, Document, distinct, found
from utils.config import RunConfig
from utils.errors import UserError
from utils.prompts import encode_texts

PYTHON_CORPUS = "python-corpus"
END, PREFIX, MIDDLE, SUFFIX = range(4)  # the ids of `model.SPECIAL_TOKENS`
MAX_BASE_BYTES = 15 * 2**20
FIM_RATE = 0.5
NUM_STDLIB_COPIES = 3  # the library that the pairs are made from
ROOM_FOR_MARKS = 16  # special tokens, and the few more tokens that a text cut in three has


def _copies(document: Document) -> list[Document]:
    """The document as often as it is read; a copy of another name has its gaps elsewhere."""
    is_repeated = document.license == "PSF-2.0" and document.split == TRAIN
    number = NUM_STDLIB_COPIES if is_repeated else 1
    return [replace(document, name=f"{document.name} {copy}") for copy in range(number)]


def pieces(lines: list[str], counts: list[int], length: int) -> list[str]:
    """A text's lines joined to pieces of at most `length` tokens; `counts` are those of the lines.

    A longer line is a piece of its own.
    """
    whole, piece, used = [], [], 0
    for line, count in zip(lines, counts, strict=True):
        if piece and used + count > length:
            whole.append("".join(piece))
            piece, used = [], 0
        piece.append(line)
        used += count
    return [*whole, "".join(piece)] if piece else whole


def fill_in_the_middle(text: str, draw: random.Random) -> list[str | int]:
    """A text cut at two random characters, as the parts of a row: ids of special tokens, and texts between them.

    Half of them are prefix, suffix, middle; half suffix first, with prefix and middle as one text. Source: Bavarian et
    al. 2022, arXiv:2207.14255, with StarCoder's tokens.
    """
    first, second = sorted(draw.randint(0, len(text)) for _ in range(2))
    prefix, middle, suffix = text[:first], text[first:second], text[second:]
    if draw.random() < 0.5:
        return [PREFIX, prefix, SUFFIX, suffix, MIDDLE, middle, END]
    return [PREFIX, SUFFIX, suffix, MIDDLE, prefix + middle, END]


def token_rows(documents: list[Document], tokenizer, context: int, fim_rate: float, seed: int) -> packing.TokenRows:
    """The documents as rows of at most `context` tokens, all of them trained on; the few that come out longer are left.

    A longer document is several rows; the last one ends with end-of-text, and so does every one with a middle.
    """
    lines = [document.text.splitlines(keepends=True) for document in documents]
    counts = iter(encode_texts([line for some in lines for line in some], tokenizer))
    rows: list[list[str | int]] = []
    for document, some in zip(documents, lines, strict=True):
        draw = random.Random(f"{seed} {document.name}")
        parts = pieces(some, [len(next(counts)) for _ in some], context - ROOM_FOR_MARKS)
        for number, piece in enumerate(parts, start=1):
            plain = [piece, END] if number == len(parts) else [piece]
            rows.append(fill_in_the_middle(piece, draw) if draw.random() < fim_rate else plain)
    encoded = iter(encode_texts([part for row in rows for part in row if isinstance(part, str)], tokenizer))
    ids = [[id for part in row for id in (next(encoded) if isinstance(part, str) else [part])] for row in rows]
    ids = [row for row in ids if 1 < len(row) <= context]
    return packing.TokenRows.of(ids, [0] * len(ids), np.uint16)


def prepare(data_dir: Path, config: RunConfig, fresh: Path) -> tuple[Path, bool]:
    """Make the corpus's token rows, and in `fresh` the untrained model if it is not there; kept where up to date."""
    documents = found()
    if not (fresh / "config.json").exists():
        model.create_fresh(fresh, (document.text for document in documents if document.split == TRAIN))
    tokenizer, folder = model.load_tokenizer(str(fresh)), artifacts.tokens_dir(data_dir, config)
    inputs = {
        "documents": artifacts.sha256_text(
            "".join(f"{one.name} {artifacts.sha256_text(one.text)}" for one in documents)
        ),
        "tokenizer": artifacts.sha256_file(fresh / "tokenizer.json"),
        "seed": str(config.seed),
        "code": artifacts.code_sha256("corpus", "code_files", "ngrams"),
    }
    if not artifacts.stale_inputs(folder, inputs):
        return folder, True
    documents = distinct(documents)
    facts: dict[str, Any] = {}
    with artifacts.building(folder, inputs, facts) as temporary:
        for split, fim_rate in ((TRAIN, FIM_RATE), (VALIDATION, 0.0)):
            chosen = [copy for document in documents if document.split == split for copy in _copies(document)]
            batches = (chosen[start : start + 200] for start in range(0, len(chosen), 200))
            chunks = (token_rows(batch, tokenizer, config.max_length, fim_rate, config.seed) for batch in batches)
            num_rows, num_tokens = packing.save(temporary, split, chunks, np.uint16)
            facts |= {f"num_{split}": num_rows, f"num_tokens_{split}": num_tokens}
        facts["num_documents"], facts["origins"] = len(documents), _origins(documents)
    return folder, False


def _origins(documents: list[Document]) -> list[dict[str, Any]]:
    """Each package with its licence, and how much of it there is."""
    sizes_of: dict[tuple[str, str], list[int]] = {}
    for document in documents:
        sizes_of.setdefault((document.origin, document.license), []).append(len(document.text))
    return [
        {"origin": origin, "license": license, "num_files": len(sizes), "num_characters": sum(sizes)}
        for (origin, license), sizes in sizes_of.items()
    ]


def export(run_dir: Path, folder: Path) -> None:
    """Save a finished run's model in bfloat16, as the workbook carries it, with its sources and its loss curve.

    Raises `UserError` when it is too large.
    """
    network, tokenizer = model.load(str(run_dir / "model"))
    config = RunConfig.load(run_dir / "config.json")
    corpus = artifacts.require(artifacts.tokens_dir(run_dir.parents[1], config), "utils.corpus")["facts"]
    with artifacts.building(folder, {}, artifacts.read_manifest(run_dir)["facts"] | {"corpus": corpus}) as temporary:
        model.save(network.bfloat16(), tokenizer, temporary)
        figure = curves.compare([curves.Run.load(run_dir)], x="tokens", smoothing=0.95)
        figure.savefig(temporary / "loss_curve.png", dpi=110)
        num_bytes = (temporary / "model.safetensors").stat().st_size
        if num_bytes > MAX_BASE_BYTES:
            raise UserError(f"the model has {num_bytes:,} bytes, at most {MAX_BASE_BYTES:,} are carried along.")


def main(arguments: list[str] | None = None) -> None:
    """Make the corpus and the run that learns it, or export what it learned."""
    parser = argparse.ArgumentParser(prog="python -m utils.corpus", description=__doc__.splitlines()[0])
    parser.add_argument("--export", action="store_true", help="save the finished run's model in data/base")
    parser.add_argument("--data", type=Path, default=artifacts.ROOT / "data", help="where everything is kept")
    options = parser.parse_args(arguments)
    fresh, run_dir = options.data / "base-start", options.data / "runs" / f"base-{PYTHON_CORPUS}"
    if options.export:
        export(run_dir, artifacts.ROOT / "data" / "base")
        return
    config = RunConfig.from_preset("base", model_name_or_path=str(fresh), num_processes=1)
    folder, is_kept = prepare(options.data, config, fresh)
    print(folder, "was up to date and is kept" if is_kept else "was made")
    run_dir.mkdir(parents=True, exist_ok=True)
    config.save(run_dir / "config.json")
    print(f"train it with: python -m utils.train {run_dir}")


if __name__ == "__main__":
    main()
