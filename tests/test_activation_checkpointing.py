"""Activation checkpointing: the same gradients from less memory, and what is computed again is what the mode says."""

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from support.flops import Operations
from utils.model import activation_checkpointing, attention, loading
from utils.model.shape import config_key
from utils.planning import memory
from utils.tokens import packing
from utils.training.loss import target_loss

CPU = torch.device("cpu")


def results_of(network, block):
    loss = target_loss(network.train(), block, CPU)
    with Operations() as backward:
        loss.backward()
    return [loss.detach(), *(parameter.grad for parameter in network.parameters())], backward.counts


def networks(world, mode):
    _, config = world
    yield loading.load_for_training(config.with_changes(activation_checkpointing=mode, dtype="float32"), CPU, 1)
    llama = LlamaConfig(
        vocab_size=320, hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(llama, attn_implementation=attention.register())
    if mode != "none":
        activation_checkpointing.checkpoint_blocks(network, mode)
    yield network


@pytest.mark.slow
# gpt_bigcode's products add a bias: four in each of two blocks, of which the last need not be computed again.
@pytest.mark.parametrize("mode, num_products, has_attention", [("selective", 0, False), ("full", 2 * 3, True)])
def test_the_gradients_are_the_same_and_only_what_is_not_kept_is_computed_again(
    world, rows, mode, num_products, has_attention
):
    block = packing.build_block(rows, [2, 7, 4])
    for kept, recomputed in zip(networks(world, "none"), networks(world, mode), strict=True):
        expected, plain = results_of(kept, block)
        found, backward = results_of(recomputed, block)
        for mine, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
        attends = "aten::_scaled_dot_product_flash_attention_for_cpu"
        assert plain[attends] == 0 and (backward[attends] > 0) == has_attention
        if "gpt_bigcode" in recomputed.config.model_type:
            assert plain["aten::addmm"] == 0 and backward["aten::addmm"] == num_products
            assert backward["aten::gelu"] == 2
        else:
            assert (backward["aten::mm"] > plain["aten::mm"]) == (mode == "full")


@pytest.mark.slow
def test_selective_keeps_half_and_full_the_blocks_inputs(world):
    _, config = world
    key, width = config_key(loading.load_config(config)), 32
    for dtype, num_bytes in (("float32", 4), ("bfloat16_weights", 2)):
        kept = {
            mode: memory.activations(key, dtype, "cpu", 256, checkpointing=mode)[3]
            for mode in ("none", "selective", "full")
        }
        assert kept["full"] == pytest.approx(num_bytes * width, rel=0.02)
        assert kept["selective"] < 0.55 * kept["none"]
