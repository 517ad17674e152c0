"""Activation checkpointing: recompute activations in the backward pass instead of storing them (Chen et al. 2016)."""

from functools import partial
from typing import Any

from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts
from transformers import PreTrainedModel

from utils.errors import UserError

MATRIX_PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm")
ATTENTION = (
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "torch_attn::_varlen_attn",
)


def checkpoint_blocks(network: PreTrainedModel, mode: str) -> None:
    """Store only the input of every block (`full`), or also its matrix products and attention (`selective`).

    `full` recomputes the whole block: a third more FLOPs. `selective` recomputes norms, activation functions and sums:
    half of the memory of storing everything. Raises `UserError` for a model without activation checkpointing. Not
    covered: `selective` with compiled blocks.
    """
    if not network.supports_gradient_checkpointing:
        raise UserError(
            f"{type(network).__name__} does not support activation checkpointing: set activation_checkpointing=none.",
            field="activation_checkpointing",
        )
    options: dict[str, Any] = {"use_reentrant": False}
    if mode == "selective":
        policy = partial(_policy, network.config.get_text_config().hidden_size)
        options["context_fn"] = partial(create_selective_checkpoint_contexts, policy)
    network.activation_checkpointing_enable(options)


def _policy(width: int, context, operation, *args, **kwargs) -> CheckpointPolicy:
    """Whether to store the result of an operation; `width` is that of the block's input."""
    name = operation.name().partition(".")[0]
    # The down projection of the feed-forward layer is the last in its block: its result is not needed again.
    is_last = name in MATRIX_PRODUCTS and args[-2].shape[-1] > width
    is_kept = name in ATTENTION or (name in MATRIX_PRODUCTS and not is_last)
    return CheckpointPolicy.MUST_SAVE if is_kept else CheckpointPolicy.PREFER_RECOMPUTE
