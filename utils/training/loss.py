"""The loss on target tokens."""

import torch

from utils.hardware import to_device
from utils.model.attention import PACKED, packed_inputs
from utils.tokens.labels import IGNORE_INDEX
from utils.tokens.packing import Block

# Logits in float32 at a time: about a CPU core's cache; enough to occupy a GPU.
CHUNK_BYTES = {"cpu": 2**21, "cuda": 2**26}


def target_loss(network, block: Block, device: torch.device) -> torch.Tensor:
    """The summed cross-entropy, in nats, over the target tokens of a block.

    The head is applied only to positions that predict target tokens. The caller divides by the target tokens of the
    whole update.
    """
    labels = torch.from_numpy(block.labels)
    # The logits at position i predict token i + 1.
    predicting = (labels[1:] != IGNORE_INDEX).nonzero().squeeze(1)
    targets = to_device(labels[1:][predicting], device)  # (K,)
    input_ids, position_ids = torch.from_numpy(block.input_ids), torch.from_numpy(block.position_ids)  # (T,)
    if not is_packed(network):
        if len(block.document_starts) > 2:
            raise ValueError("without packed attention a block must be a single pair")
        logits = network(input_ids=to_device(input_ids[None], device), use_cache=False).logits[0]  # (T, vocabulary)
        return SummedCrossEntropy.apply(logits[to_device(predicting, device)], targets)
    inputs = packed_inputs(
        input_ids, position_ids, block.document_starts, num_shared(block, device), predicting, device
    )
    logits = network(**inputs).logits  # (1, K, vocabulary)
    # Squeezed: the gradient of indexing would be a second array of this size.
    return SummedCrossEntropy.apply(logits.squeeze(0), targets)


def is_packed(network) -> bool:
    """Whether the model takes several pairs in one block, kept apart by packed attention."""
    return network.config.get_text_config()._attn_implementation == PACKED


def num_target_tokens(block: Block) -> int:
    return int((block.labels != IGNORE_INDEX).sum())


def num_shared(block: Block, device: torch.device) -> int:
    """The tokens that are computed once for all documents; 0 on a GPU, where it has not been measured."""
    return block.num_common if device.type == "cpu" else 0


def num_computed_tokens(block: Block, device: torch.device) -> int:
    """The tokens of a block that are computed, those that all documents begin with once."""
    return len(block.input_ids) - num_shared(block, device) * (len(block.document_starts) - 2)


class SummedCrossEntropy(torch.autograd.Function):
    """`cross_entropy(logits.float(), targets, reduction="sum")` for logits (K, V) that are not used again.

    The gradient is computed with the loss, a few rows at a time in float32, and *overwrites the logits*: a second array
    of their size would cost more than the arithmetic on a CPU.
    """

    @staticmethod
    def forward(ctx, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logits = logits.detach()
        num_rows = max(1, CHUNK_BYTES[logits.device.type] // (4 * logits.shape[1]))
        total = torch.zeros((), dtype=torch.float32, device=logits.device)
        for rows, target in zip(logits.split(num_rows), targets.split(num_rows), strict=True):
            log_probabilities = rows.float().log_softmax(-1)  # (rows, V)
            target = target[:, None]
            total -= log_probabilities.gather(1, target).sum()
            probabilities = log_probabilities.exp_()
            probabilities.scatter_add_(1, target, torch.full_like(target, -1, dtype=torch.float32))
            rows.copy_(probabilities)
        ctx.save_for_backward(logits)
        return total

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):  # ty: ignore[incompatible-method-override]  # torch's signature takes any
        (logits,) = ctx.saved_tensors
        return logits.mul_(gradient), None
