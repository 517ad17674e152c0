"""Which models are packed, trained one pair at a time, or refused; and that training is then exact."""

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BioGptConfig,
    BloomConfig,
    CodeGenConfig,
    CTRLConfig,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPTBigCodeConfig,
    GptOssConfig,
    Lfm2Config,
    Llama4TextConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    PhimoeConfig,
    Qwen3MoeConfig,
    Starcoder2Config,
)

from support.eager import loss_of_each_alone
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import attention, loading, packing_support
from utils.model.shape import config_key
from utils.tokens import packing
from utils.tokens.dataset import TokenRows
from utils.training.loss import is_packed, target_loss

CPU = torch.device("cpu")
LENGTHS = (40, 7, 19, 11)
SMALL = dict(
    vocab_size=300, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=16, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0,
)  # fmt: skip
OLD = dict(vocab_size=300, n_embd=64, n_layer=2, n_head=4, n_positions=128, bos_token_id=1, eos_token_id=2)
PACKED, ONE_PAIR = attention.PACKED, packing_support.EAGER
FAMILIES = {
    "gpt_bigcode": (GPTBigCodeConfig(**OLD), PACKED, ""),
    "llama": (LlamaConfig(**SMALL), PACKED, ""),
    "a window that applies": (MistralConfig(**SMALL, sliding_window=6), PACKED, ""),
    "a window longer than pairs": (Starcoder2Config(**SMALL, sliding_window=64), PACKED, ""),
    "windows in some layers": (
        Gemma3TextConfig(**SMALL, sliding_window=6, layer_types=["sliding_attention", "full_attention"]), PACKED, "",
    ),
    "experts": (Qwen3MoeConfig(**SMALL, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16), PACKED, ""),
    "dropout by another name": (BioGptConfig(**SMALL), PACKED, ""),
    "a soft cap": (Gemma2Config(**SMALL), ONE_PAIR, "softcap"),
    "sinks": (GptOssConfig(**SMALL, num_local_experts=4, num_experts_per_tok=2), ONE_PAIR, "s_aux"),
    "its own attention": (CodeGenConfig(**OLD, rotary_dim=8), ONE_PAIR, "predicts something else"),
    "positions by ALiBi": (BloomConfig(vocab_size=300, hidden_size=64, n_layer=2, n_head=4), ONE_PAIR, ""),
    "a recurrent state": (MambaConfig(vocab_size=300, hidden_size=64, num_hidden_layers=2), ONE_PAIR, "something else"),
    "some recurrent layers": (Lfm2Config(**SMALL, layer_types=["conv", "full_attention"]), ONE_PAIR, "something else"),
    "a property that cannot be set": (
        FalconConfig(vocab_size=300, hidden_size=64, num_hidden_layers=2, num_attention_heads=4), ONE_PAIR, "",
    ),
}  # fmt: skip


def settings(**changes) -> RunConfig:
    return RunConfig.from_preset("tiny", **dict(max_length=max(LENGTHS), tokens_per_device=64) | changes)


def saved(config, folder) -> RunConfig:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return settings(model_name_or_path=str(folder), dtype="float32")


@pytest.mark.parametrize("family", FAMILIES)
def test_training_is_that_of_each_pair_alone_by_eager_attention(tmp_path, family):
    model_config, implementation, reason = FAMILIES[family]
    config = saved(model_config, tmp_path)
    support = packing_support.training_support(loading.load_config(config), config)
    assert support.attn_implementation == implementation and reason in support.reason
    network = loading.load_for_training(config, CPU, 1)
    random = np.random.default_rng(0)
    ids = [random.integers(3, 300, length).tolist() for length in LENGTHS]
    rows = TokenRows.of(ids, [length // 3 for length in LENGTHS], np.uint16)
    blocks = packing.blocks_of(rows, np.arange(4), 64, is_packed=is_packed(network))
    assert len(blocks) == (2 if is_packed(network) else 4)
    loss = sum(target_loss(network, block, CPU) for block in blocks)
    reference = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    expected = loss_of_each_alone(reference, rows)
    assert loss.item() == pytest.approx(expected.item(), rel=2e-6)
    loss.backward()
    expected.backward()
    gradients = dict(reference.named_parameters())
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, gradients[name].grad, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize(
    ("model_config", "message"),
    [
        (BertConfig(**SMALL), "bert is not a causal language model"),
        (PhimoeConfig(**SMALL, num_local_experts=4), "phimoe predicts something else in training"),
    ],
)
def test_what_cannot_be_trained_exactly_is_refused_by_name(tmp_path, model_config, message):
    with pytest.raises(UserError, match=message):
        loading.load_for_training(saved(model_config, tmp_path), CPU, 1)


def test_a_window_off_by_one_is_noticed(monkeypatch):
    right = attention.functional.scaled_dot_product_attention

    def off(*states, attn_mask=None, **options):
        return right(*states, attn_mask=None if attn_mask is None else attn_mask.roll(1, 1).tril(), **options)

    monkeypatch.setattr(attention.functional, "scaled_dot_product_attention", off)
    packing_support._support.cache_clear()
    support = packing_support.training_support(MistralConfig(**SMALL, sliding_window=6), settings())
    packing_support._support.cache_clear()
    assert support.attn_implementation == ONE_PAIR


@pytest.mark.parametrize("num_tokens, implementation", [(64, PACKED), (1024, ONE_PAIR)])
def test_blocks_as_long_as_in_training_are_proven(num_tokens, implementation):
    """Llama 4 scales its queries by the place in the block; with 128 the first change is at place 127."""
    sizes = SMALL | dict(max_position_embeddings=4096, intermediate_size_mlp=96, num_local_experts=2)
    model_config = Llama4TextConfig(**sizes, floor_scale=128, no_rope_layers=[1, 0])
    support = packing_support.training_support(model_config, settings(tokens_per_device=num_tokens))
    assert support.attn_implementation == implementation


def test_the_small_copy_has_no_more_positions_than_are_tested():
    """Unless they are scaled by their number, as rotary ones may be."""
    for model_config, expected in ((GPTBigCodeConfig(**OLD), 50), (LlamaConfig(**SMALL), 128)):
        for num_positions in (50, 1000):
            copy = packing_support.small_copy(config_key(model_config), num_positions)
            assert copy.config.max_position_embeddings == (expected if num_positions == 50 else 128)


@pytest.mark.parametrize("mode", ["selective", "full"])
@pytest.mark.parametrize(
    ("model_config", "exact"),
    [
        (GPTBigCodeConfig(**OLD), ("selective", "full")),
        (LlamaConfig(**SMALL), ("selective", "full")),
        # It overwrites its attention scores, which `selective` has stored.
        (FalconConfig(vocab_size=300, hidden_size=64, num_hidden_layers=2, num_attention_heads=4), ("full",)),
        (CTRLConfig(vocab_size=300, n_embd=64, dff=96, n_layer=2, n_head=4, n_positions=128), ()),
    ],
)
def test_activation_checkpointing_that_changes_gradients_is_refused(model_config, exact, mode):
    config = settings(activation_checkpointing=mode)
    if mode in exact:
        packing_support.training_support(model_config, config)
    else:
        with pytest.raises(UserError, match="activation.checkpointing.*set .*none") as error:
            packing_support.training_support(model_config, config)
        assert error.value.field == "activation_checkpointing"


def test_max_length_is_compared_with_the_context():
    with pytest.raises(UserError, match="max_length is 200 tokens, but the context of the model has 128") as error:
        packing_support.training_support(LlamaConfig(**SMALL), settings(max_length=200, tokens_per_device=200))
    assert error.value.field == "max_length"


def test_the_proof_draws_none_of_the_run_s_random_numbers():
    packing_support._support.cache_clear()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    packing_support.training_support(LlamaConfig(**SMALL), settings())
    assert torch.equal(torch.rand(4), expected)
