"""The FLOPs that training needs, for model FLOPs utilization (MFU); `hardware.matrix_rate` measures the machine's."""

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from utils.model.shape import table_ids


def flops_per_token(network: PreTrainedModel) -> tuple[int, int]:
    """Training FLOPs per token, and additional ones per target token, for the head.

    Six per weight of a matrix, two forward and four backward (Kaplan et al. 2020); four if it is frozen. Not counted:
    attention scores and recomputation.
    """

    def count(parameter: nn.Parameter) -> int:
        return (6 if parameter.requires_grad else 4) * parameter.numel()

    tables = table_ids(network)
    matrices = sum(count(p) for p in network.parameters() if p.ndim >= 2 and id(p) not in tables)
    return matrices, count(network.get_output_embeddings().weight)


def num_flops(per_token: tuple[int, int], result: dict[str, Any]) -> int:
    """The FLOPs of an update, from `flops_per_token` and its metrics."""
    return per_token[0] * result["num_computed_tokens"] + per_token[1] * result["num_target_tokens"]
