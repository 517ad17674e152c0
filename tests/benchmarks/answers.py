"""The answers part of `make bench`: what the embedded base has learned, and what `tiny` makes of it.

The tuned model is that of the newest finished run of preset `tiny` on the embedded pairs: `make run` first.
"""

import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import table
from utils import artifacts
from utils.config import RunConfig
from utils.data import pairs
from utils.errors import UserError
from utils.evaluation import form
from utils.model import loading, prompt_modes
from utils.model.generation import GenerationSettings, generate_rows
from utils.model.shape import context_of
from utils.pretraining import code_files
from utils.runs import folders
from utils.tokens.packing import spread

NUM_ASKED, NUM_GAPS, MIN_LINE_CHARACTERS = 500, 300, 8


def compare(data_dir: Path, num_asked: int = NUM_ASKED, num_gaps: int = NUM_GAPS) -> list[list[str]]:
    config = RunConfig.from_preset("tiny")
    same = [
        run
        for run, other in folders.readable(data_dir).items()
        if (other.preset, other.pairs) == (config.preset, config.pairs)
    ]
    finished = [run for run in same if (run / "model").exists()]
    if not finished:
        raise UserError(f"there is no finished run of preset tiny in {data_dir / 'runs'}. Run `make run` first.")
    base, tuned = (loading.load(name) for name in (config.model_name_or_path, str(finished[0] / "model")))
    print(f"answers: {finished[0].name}", flush=True)
    texts = [one.text for one in code_files.standard_library() if one.split == pairs.VALIDATION]
    rows = pairs.load(artifacts.pairs_dir(data_dir, config.pairs), "validation")
    return [*_base(base, texts, num_gaps), *_tuned(base, tuned, rows, num_asked)]


def _base(base: tuple[Any, Any], texts: Sequence[str], num_gaps: int) -> list[list[str]]:
    data = "".join(texts).encode()
    packed = 8 * len(lzma.compress(data, preset=9)) / len(data)
    bits = form.bits_per_byte(*base, texts)
    found = gaps(texts, num_gaps)
    share, alone = fills(*base, found), fills(*base, found, with_suffix=False)
    return [
        table.row(f"bits per byte, {len(data):,} bytes of held-out modules", "<= 1.35", bits, -1.35, "{:.3f}"),
        ["… xz -9 over the same text", "beside it", f"{packed:.3f}", ""],
        _row(f"one missing line of {num_gaps}, exactly", share, 8),
        ["… from the prefix alone", "beside it", str(alone), ""],
    ]


def gaps(texts: Sequence[str], number: int, num_characters: int = 1200) -> list[tuple[str, str, str]]:
    """`number` lines of code, evenly spread, each with the text before and after it."""
    found = []
    for text in texts:
        position = 0
        for line in text.splitlines(keepends=True):
            start, end = position + len(line) - len(line.lstrip()), position + len(line.rstrip())
            position += len(line)
            bare = line.strip()
            if len(bare) >= MIN_LINE_CHARACTERS and not bare.startswith("#") and start > 0:
                found.append((text[max(0, start - num_characters) : start], bare, text[end : end + num_characters]))
    return spread(found, number)


def fills(model, tokenizer, missing: Sequence[tuple[str, str, str]], with_suffix: bool = True) -> form.Share:
    """The share of lines that the model writes exactly: by fill-in-the-middle, or from the prefix alone."""
    settings, rest = GenerationSettings(max_new_tokens=64), (tokenizer, context_of(model.config), 64)
    if with_suffix:
        prompts = [prompt_modes.between(before, after, *rest) for before, _, after in missing]
    else:
        prompts = [prompt_modes.completion(before, *rest) for before, _, _ in missing]
    rows = [prompt.ids for prompt in prompts]
    written = form.in_batches(rows, lambda batch: generate_rows(model, tokenizer, batch, settings))
    lines = [answer.text if with_suffix else answer.text.partition("\n")[0] for answer in written]
    return form.Share(sum(line.rstrip() == gap[1] for line, gap in zip(lines, missing, strict=True)), len(missing))


def _tuned(base: tuple[Any, Any], tuned: tuple[Any, Any], rows: Sequence[dict], number: int) -> list[list[str]]:
    asked = form.instructions(rows, number)
    before, after = (form.follows(asked, form.answers(*both, asked)) for both in (base, tuned))
    bars = {"parses as Python": 85, "the requested function": 80, "ends with end-of-text": 95, "distinct bodies": 0}
    title = f"{len(asked)} held-out pairs, tuned (base)"
    return [_row(f"{title}: {what}", share, bars[what], f" ({before[what]})") for what, share in after.items()]


def _row(measure: str, share: form.Share, limit: int, beside: str = "") -> list[str]:
    reached = "yes" if 100 * share.value >= limit else "**no**"
    return [measure, f">= {limit} %" if limit else "beside it", f"{share}{beside}", reached if limit else ""]
