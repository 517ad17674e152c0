"""A CPU without instructions for bfloat16: no product is computed in it, and training is what it is in float32."""

import re

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from test_trainer import losses
from utils import hardware
from utils.runs import metrics
from utils.training.__main__ import main

CPU = torch.device("cpu")
PRODUCT = re.compile(r"mm|mv|matmul|linear|attention|dot|conv")


class NoLowProducts(TorchDispatchMode):
    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        is_low = any(isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16 for value in tree_leaves(args))
        assert not (is_low and PRODUCT.search(operation._schema.name)), operation
        return operation(*args, **(kwargs or {}))


@pytest.fixture
def capped(monkeypatch):
    """As if this CPU had AVX2 and no more."""
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")


def test_instructions_for_bfloat16_are_those_that_torch_and_its_libraries_use(monkeypatch):
    found = {"avx2": True, "cpu_name": "bf16"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    for name in hardware.CAPPED:
        monkeypatch.delenv(name, raising=False)
    assert not hardware.multiplies_bfloat16(CPU)
    assert hardware.multiplies_bfloat16(torch.device("cuda"))
    for dtype in ("bfloat16", "bfloat16_weights"):
        assert hardware.product_dtype(dtype, CPU) == torch.float32
        assert hardware.product_dtype(dtype, torch.device("cuda")) == torch.bfloat16
    for capability in ("avx512_bf16", "amx_bf16"):
        found.pop("avx512_bf16", None)
        found[capability] = True
        assert hardware.multiplies_bfloat16(CPU) and hardware.product_dtype("bfloat16_weights", CPU) == torch.bfloat16
    assert hardware.product_dtype("float32", CPU) == torch.float32
    for name, enough, less in (
        ("ATEN_CPU_CAPABILITY", "avx512", "avx2"),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", "AVX512_CORE_VNNI"),
    ):
        monkeypatch.setenv(name, enough)
        assert hardware.multiplies_bfloat16(CPU)
        monkeypatch.setenv(name, less)
        assert not hardware.multiplies_bfloat16(CPU)
        assert hardware.multiplies_bfloat16(torch.device("cuda"))
        monkeypatch.delenv(name)


RUNS = {
    "bfloat16": {"dtype": "bfloat16"},
    "selective": {"dtype": "bfloat16_weights", "activation_checkpointing": "selective"},
    "full": {"dtype": "bfloat16_weights", "activation_checkpointing": "full", "optim": "adamw_bfloat16"},
    "compiled": {"dtype": "bfloat16_weights", "torch_compile": True},
    "lora-full": {"dtype": "bfloat16_weights", "lora_rank": 4, "lora_alpha": 8.0, "activation_checkpointing": "full"},
    "muon": {"dtype": "float32", "optim": "muon"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_whole_run_multiplies_nothing_in_bfloat16_and_follows_float32(new_run, capped, name):
    changes = dict(num_train_epochs=1.0, num_samples=1) | RUNS[name]
    exact = changes | dict(dtype="float32", activation_checkpointing="none", torch_compile=False)
    low, exact = new_run(name, **changes), new_run("exact", **exact)
    with NoLowProducts():
        main(low)
    main(exact)
    found, expected = losses(metrics.read(low)), losses(metrics.read(exact))
    np.testing.assert_allclose(found, expected, rtol=2e-3)
    assert found[-1] < 0.995 * found[0] and metrics.read(low, metrics.SAMPLES)


@pytest.mark.parametrize("length", [5, 600])
def test_products_and_their_gradients_are_those_of_float32_rounded_once(length):
    torch.manual_seed(0)
    low = [torch.randn(1, 2, length, 8).bfloat16().requires_grad_() for _ in range(3)]
    exact = [tensor.detach().float().requires_grad_() for tensor in low]

    def attended(query, key, value):
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)

    def multiplied(left, right, bias):
        return torch.nn.functional.linear(left, right[0, 0], bias[0, 0, :, 0]) @ right

    for function in (attended, multiplied):
        with NoLowProducts(), hardware.Float32Products():
            result = function(*low)
            gradients = torch.autograd.grad(result.float().square().sum(), low)
        expected = function(*exact)
        assert result.dtype == torch.bfloat16
        torch.testing.assert_close(result.float(), expected, rtol=0.02, atol=0.02 * expected.abs().max().item())
        for mine, theirs in zip(gradients, torch.autograd.grad(expected.square().sum(), exact), strict=True):
            assert mine.dtype == torch.bfloat16
            torch.testing.assert_close(mine.float(), theirs, rtol=0.02, atol=0.02 * theirs.abs().max().item())
    with pytest.raises(AssertionError, match="aten.mm"), NoLowProducts():
        low[0][0, 0] @ low[0][0, 0].T
