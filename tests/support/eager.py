"""The loss as transformers computes it: one pair at a time, by its own attention."""

import torch
from torch.nn import functional

from utils.tokens.dataset import TokenRows


def loss_of_each_alone(network, rows: TokenRows) -> torch.Tensor:
    """The summed cross-entropy of all responses; nothing of this package takes part."""
    losses = []
    for row, start in enumerate(rows.prompt_lengths.tolist()):
        ids = torch.tensor(rows[row].tolist())
        logits = network(ids[None], use_cache=False).logits[0, start - 1 : -1].float()
        losses.append(functional.cross_entropy(logits, ids[start:], reduction="sum"))
    return torch.stack(losses).sum()
