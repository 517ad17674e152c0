"""The answers part of `make bench`: how well the embedded base predicts code that it never read."""

import lzma
import math
from collections.abc import Iterable

import torch
from torch.nn import functional

from benchmarks import table
from utils.config import EMBEDDED
from utils.data import pairs
from utils.model import loading
from utils.pretraining import code_files
from utils.tokens.prompts import begin_ids, encode_texts


def compare() -> list[list[str]]:
    texts = [one.text for one in code_files.standard_library() if one.split == pairs.VALIDATION]
    data = "".join(texts).encode()
    packed = 8 * len(lzma.compress(data, preset=9)) / len(data)
    bits = bits_per_byte(*loading.load(EMBEDDED), texts)
    return [
        table.row(f"bits per byte, {len(data):,} bytes of held-out modules", "<= 1.35", bits, -1.35, "{:.3f}"),
        ["… xz -9 over the same text", "beside it", f"{packed:.3f}", ""],
    ]


@torch.inference_mode()
def bits_per_byte(model, tokenizer, texts: Iterable[str], context: int = 1024, stride: int = 512) -> float:
    """Bits per byte of the model on these texts, with a sliding window.

    Every token is predicted once, with at least `context - stride` tokens of context where available; the first one
    from end-of-text. Source: transformers' documentation on perplexity of fixed-length models.
    """
    bits, num_bytes, start = 0.0, 0, begin_ids(tokenizer) or [tokenizer.eos_token_id]
    for text in texts:
        num_bytes += len(text.encode())
        ids = torch.tensor([*start, *encode_texts([text], tokenizer)[0]], device=model.device)
        for first in range(0, max(1, len(ids) - 1 - (context - stride)), stride):
            window = ids[first : first + context]
            first_new = 1 if first == 0 else context - stride
            if first_new >= len(window):
                break
            kept = torch.arange(first_new - 1, len(window) - 1, device=model.device)
            logits = model(window[None], use_cache=False, logits_to_keep=kept).logits[0].float()  # (K, V)
            bits += functional.cross_entropy(logits, window[first_new:], reduction="sum").item() / math.log(2)
    return bits / num_bytes
