"""Adapters: trained alone, by the same arithmetic on one rank and on two, and merged into a plain model."""

import sys

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    Qwen3MoeConfig,
)

from support.flops import matrix_flops
from support.forked_ranks import train_on
from test_trainer import losses, weights
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import attention, loading, lora
from utils.playground import model_pool
from utils.runs import metrics
from utils.tokens import packing
from utils.training.__main__ import main
from utils.training.distributed import Ranks
from utils.training.loss import num_computed_tokens, num_target_tokens, target_loss
from utils.training.trainer import Training

CPU = torch.device("cpu")
LORA = dict(lora_rank=4, lora_alpha=8.0)


def logits(network):
    network.set_attn_implementation("sdpa")  # packed attention asks for the documents of a block
    with torch.no_grad():
        return network(torch.arange(50)[None], use_cache=False).logits


@pytest.mark.slow
def test_only_adapters_are_trained_and_at_first_they_change_nothing(world, rows):
    _, config = world
    for dtype, frozen_dtype in [("float32", torch.float32), ("bfloat16", torch.bfloat16)]:
        network = loading.load_for_training(config.with_changes(dtype=dtype, **LORA), CPU, 1)
        trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
        layers = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]
        blocks = [f"transformer.h.{index}.{layer}" for index in range(2) for layer in layers]
        assert trained == {f"{layer}.lora_{side}.default.weight" for layer in blocks for side in "AB"}
        assert {p.dtype for p in network.parameters() if p.requires_grad} == {torch.float32}
        assert {p.dtype for p in network.parameters() if not p.requires_grad} == {frozen_dtype}
        plain = AutoModelForCausalLM.from_pretrained(config.model_name_or_path, dtype=frozen_dtype).eval()
        torch.testing.assert_close(logits(network.eval()), logits(plain), rtol=0, atol=0)
    # All but what the first layer would need to tell the frozen embeddings.
    block = packing.build_block(rows, [0, 5])
    network.set_attn_implementation(attention.PACKED)
    per_token, per_target = loading.load_shape(config).training_flops(4)
    needed = per_token * num_computed_tokens(block, CPU) + per_target * num_target_tokens(block)
    assert matrix_flops(lambda: target_loss(network, block, CPU).backward()) == pytest.approx(needed, rel=0.04)
    # c_attn 32 x (32 + 2 x 8), c_proj 32 x 32, the feed-forward 2 x 32 x 128, in two layers; the head 320 x 32.
    frozen, rank_one = 2 * (32 * 48 + 32 * 32 + 2 * 32 * 128), 2 * (32 + 48 + 32 + 32 + 2 * (32 + 128))
    assert (per_token, per_target) == (4 * frozen + 6 * 4 * rank_one, 4 * 320 * 32)


@pytest.mark.parametrize("shape", [None, dict(num_attention_heads=4, num_key_value_heads=2, intermediate_size=64)])
def test_the_merged_model_is_the_base_and_the_scaled_product(world, shape):
    if shape:
        network = AutoModelForCausalLM.from_config(
            LlamaConfig(vocab_size=320, hidden_size=32, num_hidden_layers=2, tie_word_embeddings=False, **shape)
        )
    else:
        network = AutoModelForCausalLM.from_pretrained(world[1].model_name_or_path)
    base = {name: tensor.clone() for name, tensor in network.eval().state_dict().items()}
    lora.add(network, rank=4, alpha=8.0)
    for parameter in lora.trained(network):
        torch.nn.init.normal_(parameter, std=0.1)
    pairs = {name: parameter.detach() for name, parameter in network.named_parameters() if parameter.requires_grad}
    before = logits(network)
    lora.merge(network)
    torch.testing.assert_close(logits(network), before, rtol=1e-4, atol=1e-5)
    merged = network.state_dict()
    assert merged.keys() == base.keys()
    for name, tensor in merged.items():
        layer, change = name.removesuffix(".weight"), 0.0
        if f"{layer}.lora_A.default.weight" in pairs:
            change = 2.0 * pairs[f"{layer}.lora_B.default.weight"] @ pairs[f"{layer}.lora_A.default.weight"]
        torch.testing.assert_close(tensor, base[name] + change)
    assert torch.equal(merged["lm_head.weight"], base["lm_head.weight"])
    assert not any("lora" in name for name, _ in network.named_modules())


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, dict(reshard_after_forward=False, activation_checkpointing="full")])
def test_two_ranks_make_the_updates_of_one(new_run, changes):
    # Blocks so small that each rank has several.
    one, two = new_run("lora-one", **LORA), new_run("lora-two", tokens_per_device=400, **LORA, **changes)
    main(one)
    alone, together = metrics.read(one), train_on(2, two)
    np.testing.assert_allclose(losses(together), losses(alone), rtol=1e-5)
    np.testing.assert_allclose(*([r["grad_norm"] for r in metrics.train_lines(of)] for of in (together, alone)), 1e-3)
    assert losses(alone)[-1] < losses(alone)[0] - 0.02
    assert len(metrics.read(two, metrics.SAMPLES)) > 0
    tuned, base = (
        weights(one),
        AutoModelForCausalLM.from_pretrained(model_pool.choices(one)["base"], dtype=torch.float32).state_dict(),
    )
    assert tuned.keys() == base.keys()
    for name, tensor in weights(two).items():
        torch.testing.assert_close(tensor, tuned[name], rtol=0, atol=2e-4)
        assert torch.equal(tensor, base[name]) == (".c_" not in name or name.endswith("bias"))


@pytest.mark.slow
def test_a_checkpoint_of_adapters_is_loaded_as_the_model_they_make(new_run):
    run_dir = new_run("lora-loaded", **LORA)
    main(run_dir)
    models, names = model_pool.LoadedModels(), model_pool.choices(run_dir)
    base, ninth, tenth, tuned = (
        models.get(names[label])[0].state_dict() for label in ("base", "step 9", "step 10", "tuned")
    )
    assert tenth.keys() == tuned.keys() and all(torch.equal(tenth[name], tuned[name]) for name in tuned)
    changed = "transformer.h.0.attn.c_attn.weight"
    assert not torch.equal(ninth[changed], tenth[changed]) and not torch.equal(ninth[changed], base[changed])


def test_a_missing_peft_is_named(world, monkeypatch):
    _, config = world
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UserError, match=r"lora_rank needs peft: pip install peft==\d+\.\d+\.\d+, or"):
        loading.load_for_training(config.with_changes(**LORA), CPU, 1)


def test_adapters_that_a_rank_does_not_use_take_part_in_the_average(world, new_run, monkeypatch):
    run_dir = new_run("lora-unused", **LORA)
    training = Training(run_dir, RunConfig.load(run_dir / "config.json"), Ranks())
    training.model.transformer.h[1].mlp.forward = torch.zeros_like
    averaged = []
    monkeypatch.setattr(Ranks, "average", lambda self, tensor: averaged.append(tensor.shape))
    rows = np.array([5, 2])
    training.update(rows, packing.blocks_of(training.rows, rows, 512), 1e-3)
    assert averaged == [parameter.shape for parameter in lora.trained(training.model)]


def test_what_peft_cannot_adapt_is_refused_by_name():
    config = MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=1)
    with pytest.raises(UserError, match="peft cannot adapt MambaForCausalLM.*full fine-tuning"):
        lora.add(AutoModelForCausalLM.from_config(config), rank=4, alpha=8.0)


def test_experts_are_refused_before_the_first_step_and_transposed_layers_merge(tmp_path):
    sizes = dict(vocab_size=320, hidden_size=32, num_attention_heads=4, num_hidden_layers=1, num_experts=4)
    experts = Qwen3MoeConfig(
        **sizes, num_key_value_heads=2, head_dim=8, num_experts_per_tok=2, moe_intermediate_size=16
    )
    transposed = GPT2Config(vocab_size=320, n_embd=32, n_layer=1, n_head=4)
    for name, model_config in (("experts", experts), ("transposed", transposed)):
        AutoModelForCausalLM.from_config(model_config).save_pretrained(tmp_path / name)
    config = RunConfig.from_preset("tiny", **LORA, dtype="float32", model_name_or_path=str(tmp_path / "experts"))
    with pytest.raises(UserError, match="cannot adapt the experts or gates .*gate_up_proj"):
        loading.load_for_training(config, CPU, 1)
    network = loading.load_for_training(config.with_changes(model_name_or_path=str(tmp_path / "transposed")), CPU, 1)
    for parameter in lora.trained(network):
        torch.nn.init.normal_(parameter, std=0.1)
    network.set_attn_implementation("eager")
    ids = torch.arange(8)[None]
    expected = network.eval()(ids).logits
    lora.merge(network)
    torch.testing.assert_close(network(ids).logits, expected, rtol=1e-4, atol=1e-5)
