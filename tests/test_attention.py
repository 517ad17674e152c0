"""Attention in packed blocks: torch's kernel for all documents at once computes what the loop over them does.

The kernel itself runs on GPUs only. Here a dense mask stands in for it beneath torch's own operator, so what is called,
its gradient and its compilation are torch's.
"""

from itertools import accumulate

import pytest
import torch

from support.flops import Operations
from utils.model import attention, loading
from utils.model.attention import Documents
from utils.tokens import packing
from utils.training.loss import num_shared, target_loss

CPU = torch.device("cpu")


def probabilities(query, key, offsets, scale, window_left):
    """Those of each query (T, H, D) over the keys (T, K, D) of its document up to itself: (H, T, T)."""
    place = torch.arange(len(query))
    document = torch.bucketize(place, offsets, right=True)
    seen = (document[:, None] == document[None]) & (place[:, None] >= place[None])
    if window_left >= 0:
        seen &= place[:, None] - place[None] <= window_left
    scores = torch.einsum("thd,shd->hts", query, expanded(key, query)) * scale
    return scores.masked_fill(~seen, -torch.inf).softmax(-1)


def expanded(states, query):
    return states.repeat_interleave(query.shape[1] // states.shape[1], dim=1)


class Kernel:
    """FlashAttention of packed documents, forward and backward, and the heads of keys that it was given."""

    def __init__(self):
        self.num_key_heads = []

    def forward(self, query, key, value, offsets, key_offsets, longest, key_longest, dropout, causal, _, **options):
        assert offsets.dtype == key_offsets.dtype == torch.int32 and longest == key_longest == offsets.diff().max()
        assert causal == (options["window_size_left"] < 0) and options["window_size_right"] == 0 and not dropout
        assert query.stride(-1) == key.stride(-1) == value.stride(-1) == 1
        self.num_key_heads.append(key.shape[1])
        weights = probabilities(query, key, offsets, options["scale"], options["window_size_left"])
        output = torch.empty_like(query).copy_(torch.einsum("hts,shd->thd", weights, expanded(value, query)))
        return output, torch.zeros(weights.shape[:2]), *(torch.zeros(0) for _ in range(3))

    def backward(self, gradient, query, key, value, output, _, offsets, *others, scale, **options):
        weights = probabilities(query, key, offsets, scale, options["window_size_left"])
        of_weights = torch.einsum("thd,shd->hts", gradient, expanded(value, query))
        of_scores = scale * weights * (of_weights - (weights * of_weights).sum(-1, keepdim=True))
        of_query = torch.einsum("hts,shd->thd", of_scores, expanded(key, query))
        of_key = torch.einsum("hts,thd->shd", of_scores, query).unflatten(1, (key.shape[1], -1)).sum(2)
        of_value = torch.einsum("hts,thd->shd", weights, gradient).unflatten(1, (key.shape[1], -1)).sum(2)
        results = zip((query, key, value), (of_query, of_key, of_value), strict=True)
        return tuple(torch.empty_like(states).copy_(of_states) for states, of_states in results)


@pytest.fixture
def kernel():
    one = Kernel()
    with torch.library._scoped_library("aten", "IMPL") as library:
        library.impl("_flash_attention_forward", one.forward, "CPU")
        library.impl("_flash_attention_backward", one.backward, "CPU")
        yield one


@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("num_key_heads", [1, 2, 4])
def test_all_documents_at_once_are_each_on_its_own(num_key_heads, window, kernel):
    torch.manual_seed(0)
    starts = [0, 5, 6, 20]
    documents = Documents(starts, torch.tensor(starts, dtype=torch.int32))
    states = [torch.randn(1, heads, 20, 8, requires_grad=True) for heads in (4, num_key_heads, num_key_heads)]
    upstream, results = torch.randn(1, 20, 4, 8), []
    for attend in (attention._all_at_once, attention._one_by_one):
        output = attend(*states, 0.3, documents, window)
        results.append([output, *torch.autograd.grad(output, states, upstream)])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert kernel.num_key_heads == [num_key_heads], "the heads of keys are not expanded"


@pytest.mark.parametrize("window", [None, 4])
def test_a_common_beginning_is_that_of_every_document(window):
    torch.manual_seed(0)
    parts = [torch.randn(3, 4, length, 8, requires_grad=True) for length in (3, 2, 1, 9)]  # the first is common
    beginning, *others = parts
    upstream = [torch.randn(1, length, 4, 8) for length in (3, 2, 1, 9)]
    results = []
    for num_common in (0, 3):
        repeated = [[] if number and num_common else [beginning] for number in range(3)]
        states = torch.cat([part for both in zip(repeated, others, strict=True) for part in (*both[0], both[1])], dim=2)
        documents = Documents([0, 5, 9, 21], torch.tensor([0, 5, 9, 21], dtype=torch.int32), num_common)
        output = attention._one_by_one(*states[:, None], 0.3, documents, window)  # (1, T, H, D)
        own = output.split([3, 2, 1, 9] if num_common else [3, 2, 3, 1, 3, 9], dim=1)
        own = own if num_common else [own[0], own[1], own[3], own[5]]
        gradients = torch.autograd.grad(sum((a * b).sum() for a, b in zip(own, upstream, strict=True)), parts)
        results.append([*own, *gradients])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 2, 3, 4], [1, 2, 3], [1, 2, 9, 4]], 2),
        ([[1, 2, 3], [1, 2, 3]], 2),  # each has a token of its own
        ([[1, 2], [3, 2]], 0),
        ([[1], [1, 2]], 0),
        ([[1, 2, 3]], 0),
    ],
)
def test_what_all_documents_begin_with_is_computed_once(rows, expected):
    starts = [0, *accumulate(map(len, rows))]
    ids = torch.tensor([id for row in rows for id in row])
    positions = torch.cat([torch.arange(len(row)) for row in rows])
    block = packing.Block(ids.numpy(), positions.numpy(), ids.numpy())
    assert num_shared(block, CPU) == expected and num_shared(block, torch.device("cuda")) == 0
    inputs = attention.packed_inputs(ids, positions, starts, expected, torch.arange(len(ids)), CPU)
    assert len(inputs["input_ids"][0]) == len(ids) - expected * (len(rows) - 1)
    for name, values in ("input_ids", ids), ("position_ids", positions):  # every token is found again
        assert torch.equal(inputs[name][0][inputs["logits_to_keep"]], values)


def results_of(network, block):
    network.zero_grad()
    loss = target_loss(network, block, CPU)
    loss.backward()
    return [loss.detach(), *(parameter.grad.clone() for parameter in network.parameters())]


@pytest.fixture
def blocks(rows):
    return [packing.build_block(rows, chosen) for chosen in ([2, 7, 4], [1, 3], [5, 9, 8, 6], [11])]


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_compiled_blocks_compute_the_same_and_are_compiled_once(world, blocks, kernel, monkeypatch, checkpointing):
    config = world[1].with_changes(activation_checkpointing="full" if checkpointing else "none")
    expected = [results_of(loading.load_for_training(config, CPU, 1), block) for block in blocks]
    assert not kernel.num_key_heads
    monkeypatch.setattr(attention, "_has_kernel", lambda query, value: True)
    monkeypatch.setattr("utils.training.loss.num_shared", lambda *_: 0)  # as on a GPU
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    network = loading.load_for_training(config, CPU, 1)
    loading.compile_blocks(network, backend="aot_eager")  # torch's own compiler takes a minute here
    for block, theirs in zip(blocks, expected, strict=True):
        for mine, other in zip(results_of(network, block), theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)
    assert kernel.num_key_heads == [1] * len(blocks) * 2 * (1 + checkpointing), "in both layers"
    counters = torch._dynamo.utils.counters
    assert not counters["graph_break"]
    # One that is compiled without a document's length, and at most one more when it is seen to change.
    assert counters["stats"]["unique_graphs"] <= 2
    torch.compiler.reset()


def test_a_block_goes_forward_and_back_without_asking_the_device(world, blocks):
    """A value that a device is asked for makes a GPU wait for all that it has still to compute."""
    network = loading.load_for_training(world[1], CPU, 1)
    with Operations() as operations:
        target_loss(network, blocks[0], CPU).backward()
    assert operations.counts["aten::mm"] and not {"aten::_local_scalar_dense", "aten::equal"} & operations.counts.keys()


def test_what_the_kernel_cannot_do_goes_to_the_loop(monkeypatch):
    class Query:
        dtype, device, shape = torch.bfloat16, torch.device("cuda"), (1, 4, 20, 64)

    capability = [8, 0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: tuple(capability))
    assert attention._has_kernel(Query, Query)
    others = [("dtype", torch.float32), ("device", CPU), ("shape", (1, 4, 20, 36)), ("shape", (1, 4, 20, 512))]
    for name, value in others:
        other = type("Other", (Query,), {name: value})
        assert not attention._has_kernel(other, other), name
    assert not attention._has_kernel(Query, type("Value", (Query,), {"shape": (1, 4, 20, 32)})), "heads of two sizes"
    capability[:] = 7, 5
    assert not attention._has_kernel(Query, Query)


def test_the_gpu_can_be_asked_for_inside_of_compiled_blocks():
    device = torch.device("cuda")
    added = torch.compile(lambda x: x + attention._is_ampere(device), fullgraph=True, backend="eager")
    assert added(torch.zeros(1)).item() == attention._is_ampere(device)
