"""The answers part of `make bench`: how well the embedded base predicts code that it never read."""

import lzma

from benchmarks import table
from utils.config import EMBEDDED
from utils.data import pairs
from utils.evaluation import form
from utils.model import loading
from utils.pretraining import code_files


def compare() -> list[list[str]]:
    texts = [one.text for one in code_files.standard_library() if one.split == pairs.VALIDATION]
    data = "".join(texts).encode()
    packed = 8 * len(lzma.compress(data, preset=9)) / len(data)
    bits = form.bits_per_byte(*loading.load(EMBEDDED), texts)
    return [
        table.row(f"bits per byte, {len(data):,} bytes of held-out modules", "<= 1.35", bits, -1.35, "{:.3f}"),
        ["… xz -9 over the same text", "beside it", f"{packed:.3f}", ""],
    ]
