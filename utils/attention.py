"""Attention inside each document of a packed block, without a mask.

A dense mask over a block costs the square of the block; the documents in it are much shorter.
"""

from itertools import pairwise

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface

PACKED = "packed"


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
    # Heads that share a key and value see it through a view; nothing is copied. (1, K, T, D) -> (1, H, T, D)
    num_shared = query.shape[1] // key.shape[1]
    key, value = (_share(states, num_shared) for states in (key, value))
    parts = [
        functional.scaled_dot_product_attention(
            query[:, :, start:end], key[:, :, start:end], value[:, :, start:end], is_causal=True, scale=scaling
        )
        for start, end in pairwise(document_starts)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


def _share(states: torch.Tensor, num_shared: int) -> torch.Tensor:
    if states.shape[1] == 1:
        return states.expand(-1, num_shared, -1, -1)
    return states.repeat_interleave(num_shared, dim=1) if num_shared > 1 else states
