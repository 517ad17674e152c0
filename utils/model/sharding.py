"""FSDP sharding: which modules FSDP2 gathers one at a time."""

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from utils.errors import UserError
from utils.model.shape import blocks_of


def fsdp_plan(model_config, reshard_after_forward: bool) -> dict[str, str]:
    """The modules that FSDP2 gathers one at a time: the blocks; all other weights are gathered once, at the root."""
    with torch.device("meta"):
        name, _ = blocks(AutoModelForCausalLM.from_config(model_config))
    return {f"{name}.*": "free_full_weight" if reshard_after_forward else "keep_full_weight"}


def blocks(network: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """As `blocks_of`; raises `UserError` for a model without a list of blocks."""
    name, found = blocks_of(network)
    if not found:
        raise UserError(f"{type(network).__name__} has no list of blocks: it cannot be sharded or compiled.")
    return name, found
