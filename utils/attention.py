"""Attention inside each document of a packed block, without a mask.

A dense mask over a block costs the square of the block; the documents in it are much shorter.
"""

from itertools import pairwise

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface

PACKED = "packed"
# On a CPU torch's bfloat16 gradient of a shorter document is slower than its float32 one: 150 tokens and 8 heads take
# 2.0 ms against 1.2, but 1,024 take 14 against 24.
MIN_BFLOAT16_TOKENS = 400


def register() -> str:
    """Make `attn_implementation="packed"` known to transformers, and return that name.

    The model must then be called with `document_starts`: the offsets of the documents in the block and its length.
    """
    AttentionInterface.register(PACKED, packed_attention)
    AttentionMaskInterface.register(PACKED, _no_mask)
    return PACKED


def _no_mask(*args, **kwargs) -> None:
    return None


def packed_attention(module, query, key, value, attention_mask, scaling=None, document_starts=None, **kwargs):
    """Causal attention within each document: query (1, H, T, D), key and value (1, K, T, D), result (1, T, H, D).

    Not covered: dropout, which a run sets to 0, and caches.
    """
    dtype, on_cpu = query.dtype, query.device.type == "cpu"
    if on_cpu:
        # The gradient for shared key heads runs on fewer cores there and waits at every product: 20 ms against 2.
        key, value = (states.repeat_interleave(query.shape[1] // key.shape[1], dim=1) for states in (key, value))
    lengths = [end - start for start, end in pairwise(document_starts)]
    # Split, not sliced: the gradient of a split is one concatenation, that of each slice a whole block of zeros.
    documents = zip(*(states.split(lengths, dim=2) for states in (query, key, value)), strict=True)
    parts = []
    with torch.autocast(query.device.type, enabled=False):
        for length, document in zip(lengths, documents, strict=True):
            if on_cpu and length < MIN_BFLOAT16_TOKENS:
                document = (states.float() for states in document)
            part = functional.scaled_dot_product_attention(*document, is_causal=True, scale=scaling, enable_gqa=True)
            parts.append(part.to(dtype))  # (1, H, t, D)
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None
