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
from utils.model import loading
from utils.pretraining import code_files
from utils.runs import folders

NUM_ASKED, NUM_GAPS = 500, 300


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
    found = form.gaps(texts, num_gaps)
    share, alone = form.fills(*base, found), form.fills(*base, found, with_suffix=False)
    return [
        table.row(f"bits per byte, {len(data):,} bytes of held-out modules", "<= 1.35", bits, -1.35, "{:.3f}"),
        ["… xz -9 over the same text", "beside it", f"{packed:.3f}", ""],
        _row(f"one missing line of {num_gaps}, exactly", share, 8),
        ["… from the prefix alone", "beside it", str(alone), ""],
    ]


def _tuned(base: tuple[Any, Any], tuned: tuple[Any, Any], rows: Sequence[dict], number: int) -> list[list[str]]:
    asked = form.instructions(rows, number)
    before, after = (form.follows(asked, form.answers(*both, asked)) for both in (base, tuned))
    bars = {"parses as Python": 85, "the requested function": 80, "ends with end-of-text": 95, "distinct bodies": 0}
    title = f"{len(asked)} held-out pairs, tuned (base)"
    return [_row(f"{title}: {what}", share, bars[what], f" ({before[what]})") for what, share in after.items()]


def _row(measure: str, share: form.Share, limit: int, beside: str = "") -> list[str]:
    reached = "yes" if 100 * share.value >= limit else "**no**"
    return [measure, f">= {limit} %" if limit else "beside it", f"{share}{beside}", reached if limit else ""]
