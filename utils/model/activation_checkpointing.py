"""Activation checkpointing: what a block's backward pass needs is computed again instead of kept (Chen et al. 2016)."""

from functools import partial
from typing import Any

from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts
from transformers import PreTrainedModel

MATRIX_PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm")
ATTENTION = (
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "torch_attn::_varlen_attn",
)


def checkpoint_blocks(network: PreTrainedModel, mode: str) -> None:
    """Have every block keep only its input (`full`), or also the results of its costly operations (`selective`).

    `full` computes the block again, a third more arithmetic. `selective` computes again what is cheap, norms, GELU and
    sums, and keeps matrix products and attention: half of the memory that keeping all takes. Not covered by
    `selective`: compiled blocks, whose operations it cannot see.
    """
    options: dict[str, Any] = {"use_reentrant": False}
    if mode == "selective":
        policy = partial(_policy, network.config.hidden_size)
        options["context_fn"] = partial(create_selective_checkpoint_contexts, policy)
    # The second is its name in older releases of transformers.
    enable = getattr(network, "activation_checkpointing_enable", None) or network.gradient_checkpointing_enable
    enable(options)


def _policy(width: int, context, operation, *args, **kwargs) -> CheckpointPolicy:
    """Whether what an operation of a block gives is kept; `width` is that of the block's input."""
    name = operation.name().partition(".")[0]
    # The feed-forward's way back, from a wider layer, is the last in its block: nothing there needs its result again.
    is_last = name in MATRIX_PRODUCTS and args[-2].shape[-1] > width
    is_kept = name in ATTENTION or (name in MATRIX_PRODUCTS and not is_last)
    return CheckpointPolicy.MUST_SAVE if is_kept else CheckpointPolicy.PREFER_RECOMPUTE
