"""The loss on trained tokens."""

import torch
from torch.nn import functional

from utils.packing import IGNORE_INDEX, Block


def trained_loss(network, block: Block, device: torch.device) -> torch.Tensor:
    """The summed cross-entropy, in nats, over the trained tokens of a packed block.

    The head is applied only where a token is trained; `utils.attention` keeps the documents of the block apart. The
    caller divides by the trained tokens of the whole update.
    """
    labels = torch.from_numpy(block.labels)
    # The logits at position i predict token i + 1.
    predicting = (labels[1:] != IGNORE_INDEX).nonzero().squeeze(1)
    targets = labels[1:][predicting].to(device)  # (K,)
    logits = network(
        input_ids=torch.from_numpy(block.input_ids)[None].to(device),  # (1, T)
        position_ids=torch.from_numpy(block.position_ids)[None].to(device),  # (1, T)
        document_starts=block.document_starts,
        use_cache=False,
        logits_to_keep=predicting.to(device),
    ).logits  # (1, K, vocabulary)
    return functional.cross_entropy(logits[0].float(), targets, reduction="sum")


def num_trained_tokens(block: Block) -> int:
    return int((block.labels != IGNORE_INDEX).sum())
