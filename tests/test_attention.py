"""Attention in packed blocks: the kernel for all documents at once is called for what the loop over them computes."""

import pytest
import torch

from utils import artifacts, attention, model, packing
from utils.attention import Documents
from utils.loss import trained_loss

CPU = torch.device("cpu")


def stand_in(query, key, value, offsets, key_offsets, longest, key_longest, *, scale, window_size, enable_gqa):
    """What `varlen_attn` documents, with a dense mask: query (T, H, D), key and value (T, K, D)."""
    assert offsets is key_offsets and offsets.dtype == torch.int32 and longest == key_longest == offsets.diff().max()
    assert window_size == (-1, 0) and enable_gqa and key.stride(-1) == value.stride(-1) == query.stride(-1) == 1
    place = torch.arange(len(query))
    document = torch.bucketize(place, offsets, right=True)
    seen = (document[:, None] == document[None]) & (place[:, None] >= place[None])
    group = query.shape[1] // key.shape[1]
    key, value = (states.repeat_interleave(group, dim=1) for states in (key, value))
    scores = torch.einsum("thd,shd->hts", query, key) * scale
    return torch.einsum("hts,shd->thd", scores.masked_fill(~seen, -torch.inf).softmax(-1), value)


@pytest.fixture
def kernel(monkeypatch):
    """As if this machine had the kernel; a list of the heads of keys that it was called with."""
    called = []

    def varlen_attn(query, key, *others, **options):
        called.append(key.shape[1])
        return stand_in(query, key, *others, **options)

    monkeypatch.setattr(attention, "_has_kernel", lambda query: True)
    monkeypatch.setattr(attention, "varlen_attn", varlen_attn)
    return called


@pytest.mark.parametrize("num_key_heads", [1, 2, 4])
def test_all_documents_at_once_are_each_on_its_own(num_key_heads, kernel):
    torch.manual_seed(0)
    starts = [0, 5, 6, 20]
    documents = Documents(starts, torch.tensor(starts, dtype=torch.int32))
    states = [torch.randn(1, heads, 20, 8, requires_grad=True) for heads in (4, num_key_heads, num_key_heads)]
    upstream, results = torch.randn(1, 20, 4, 8), []
    for attend in (attention._all_at_once, attention._one_by_one):
        output = attend(*states, 0.3, documents)
        results.append([output, *torch.autograd.grad(output, states, upstream)])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert kernel == [num_key_heads], "the heads of keys are not expanded"


def test_a_model_computes_the_same_loss_with_the_kernel(world, request):
    data_dir, config = world
    block = packing.build_block(packing.load(artifacts.tokens_dir(data_dir, config), "train"), [2, 7, 4])
    network = model.load_for_training(config, CPU, 1)
    expected = trained_loss(network, block, CPU)
    called = request.getfixturevalue("kernel")
    torch.testing.assert_close(trained_loss(network, block, CPU), expected, rtol=1e-5, atol=0)
    assert called == [1, 1], "in both layers"


def test_what_the_kernel_cannot_do_goes_to_the_loop(monkeypatch):
    class Query:
        dtype, device, shape = torch.bfloat16, torch.device("cuda"), (1, 4, 20, 64)

    gpu = type("Properties", (), {"major": 8})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: gpu)
    assert attention._has_kernel(Query)
    for name, value in (
        ("dtype", torch.float32),
        ("device", CPU),
        ("shape", (1, 4, 20, 36)),
        ("shape", (1, 4, 20, 512)),
    ):
        assert not attention._has_kernel(type("Other", (Query,), {name: value})), name
    gpu.major = 7
    assert not attention._has_kernel(Query)
    gpu.major = 9
    monkeypatch.setattr(attention, "varlen_attn", None)  # an older torch
    assert not attention._has_kernel(Query)
