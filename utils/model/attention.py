"""Attention within each document of a packed block, without a mask.

A dense mask would cost the square of the block's length; documents are much shorter.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface

from utils.errors import UserError
from utils.hardware import to_device

PACKED = "packed"
# Arguments of other implementations that do not change the result here: the positions are in the queries and keys.
IGNORED_ARGUMENTS = ("position_ids", "is_causal", "use_cache", "cache_position")
# For shorter documents torch's attention gradient on a CPU is faster in float32: 1.2 ms against 2.0 ms in bfloat16 with
# 150 tokens and 8 heads, but 24 ms against 14 ms with 1,024.
MIN_BFLOAT16_TOKENS = 400


@dataclass
class Documents:
    """The documents of a block, computed once per block.

    `starts` are their offsets and the block's length, `offsets` (N + 1,) the same in int32 on the model's device.
    Of the first `num_shared` tokens, the same in all documents, the block holds only those of the first.
    """

    starts: list[int]
    offsets: torch.Tensor
    num_shared: int = 0
    lengths: list[int] = field(init=False)
    longest: int = field(init=False)

    def __post_init__(self):
        self.lengths = [end - start for start, end in pairwise(self.starts)]
        self.longest = max(self.lengths)


def packed_inputs(
    input_ids: torch.Tensor,
    position_ids: torch.Tensor,
    starts: list[int],
    num_shared: int,
    kept: torch.Tensor,
    device: torch.device,
) -> dict[str, Any]:
    """The arguments of a model for a packed block, whose ids and positions are (T,); `kept` are the logits' positions.

    The first `num_shared` tokens, the same in all documents, such as the beginning of a prompt, are computed once: in
    its attention every document sees them as its own, so predictions and gradients are the same.
    """
    is_computed = torch.ones(len(input_ids), dtype=torch.bool)
    for start in starts[1:-1]:
        is_computed[start : start + num_shared] = False
    places = is_computed.cumsum(0) - 1  # of each token among those that are computed
    for start in starts[1:-1]:
        places[start : start + num_shared] = torch.arange(num_shared)
    return dict(
        input_ids=to_device(input_ids[is_computed][None], device),
        position_ids=to_device(position_ids[is_computed][None], device),
        documents=Documents(starts, to_device(torch.tensor(starts, dtype=torch.int32), device), num_shared),
        use_cache=False,
        logits_to_keep=to_device(places[kept], device),
    )


def register() -> str:
    """Register `attn_implementation="packed"` with transformers, and return that name.

    The model must be called with `documents`. No mask function is registered: transformers would inspect the positions,
    which synchronizes with the GPU.
    """
    AttentionInterface.register(PACKED, packed_attention)
    return PACKED


def packed_attention(
    module, query, key, value, attention_mask=None, scaling=None, *, documents=None, sliding_window=None, **kwargs
):
    """Causal attention within each document: query (1, H, T, D), key and value (1, K, T, D), result (1, T, H, D).

    `sliding_window` is the number of tokens that each token sees, itself included. Raises `UserError` for any other
    argument that would change the result. Not covered: caches. The variable-length kernel has not been run.
    """
    if documents is None:
        raise UserError("the model does not pass `documents` on to its attention")
    if unknown := [name for name, value in kwargs.items() if _changes_the_result(name, value)]:
        raise UserError(f"packed attention does not support {' and '.join(unknown)}")
    # Under autocast, rotary embeddings return float32 queries and keys.
    query, key = query.to(value.dtype), key.to(value.dtype)
    attend = _all_at_once if _has_kernel(query, value) else _one_by_one
    window = sliding_window if sliding_window and sliding_window < documents.longest else None
    return attend(query, key, value, scaling, documents, window), None


def _changes_the_result(name: str, value) -> bool:
    return name not in IGNORED_ARGUMENTS and value is not None and not (isinstance(value, bool | float) and not value)


def _has_kernel(query: torch.Tensor, value: torch.Tensor) -> bool:
    """Whether torch's FlashAttention supports this: half precision, a GPU from Ampere on, the head size."""
    half, size = query.dtype in (torch.bfloat16, torch.float16), query.shape[-1]
    is_gpu = query.device.type == "cuda" and _is_ampere(query.device)
    is_size = size % 8 == 0 and size <= 256 and value.shape[-1] == size
    return is_gpu and half and is_size


@torch.compiler.assume_constant_result  # evaluated while compiling
def _is_ampere(device: torch.device) -> bool:
    return torch.cuda.is_available() and torch.cuda.get_device_capability(device) >= (8, 0)


def _all_at_once(query, key, value, scaling, documents: Documents, window: int | None) -> torch.Tensor:
    """One call for the whole block; key and value heads are not expanded."""
    query, key, value = (states.squeeze(0).transpose(0, 1) for states in (query, key, value))  # (T, heads, D)
    offsets, longest = documents.offsets, documents.longest
    to_the_left = window - 1 if window else -1  # -1: all
    output = varlen_attn(
        query, key, value, offsets, offsets, longest, longest,
        scale=scaling, window_size=(to_the_left, 0), enable_gqa=True,  # none to the right: causal
    )  # fmt: skip
    return output.unsqueeze(0)  # ty: ignore[missing-union-attribute]  # a tuple only with `return_aux`


@torch.compiler.disable  # every block has other shapes and would be compiled again
def _one_by_one(query, key, value, scaling, documents: Documents, window: int | None) -> torch.Tensor:
    dtype, on_cpu = query.dtype, query.device.type == "cpu"
    if on_cpu:
        # There the gradient of grouped-query attention uses fewer cores: 20 ms against 2 ms.
        key, value = (states.repeat_interleave(query.shape[1] // key.shape[1], dim=1) for states in (key, value))
    # The gradient of a split is one concatenation, that of each slice a block of zeros.
    num_common, parts = documents.num_shared, []
    sizes = [num_common, *(length - num_common for length in documents.lengths)]
    beginning, *others = zip(*(states.split(sizes, dim=2) for states in (query, key, value)), strict=True)
    with torch.autocast(query.device.type, enabled=False):
        for length, document in zip(documents.lengths, others, strict=True):
            if num_common:
                document = [torch.cat(both, dim=2) for both in zip(beginning, document, strict=True)]
            if on_cpu and length < MIN_BFLOAT16_TOKENS:
                document = (states.float() for states in document)
            mask = None
            if window and length > window:
                mask = (
                    torch.ones(length, length, dtype=torch.bool, device=query.device).tril().triu(1 - window)
                )  # (t, t)
            part = functional.scaled_dot_product_attention(
                *document, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=True
            )
            parts.append(part.to(dtype)[:, :, num_common if parts else 0 :])  # (1, H, t, D)
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous()
