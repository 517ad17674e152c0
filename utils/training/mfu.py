"""Model FLOPs utilization (MFU): the operations that training needs, of those the machine could do."""

from torch import nn
from transformers import PreTrainedModel


def flops_per_token(network: PreTrainedModel) -> tuple[int, int]:
    """The operations that training needs for each token, and besides for each trained token, where the head is applied.

    Six for each weight of a matrix: two forward, four backward (Kaplan et al. 2020), of which a frozen one needs two.
    Not counted: attention scores, and what is recomputed.
    """

    def count(parameter: nn.Parameter) -> int:
        return (6 if parameter.requires_grad else 4) * parameter.numel()

    head = network.get_output_embeddings().weight
    embeddings = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)} | {id(head)}
    return sum(count(p) for p in network.parameters() if p.ndim >= 2 and id(p) not in embeddings), count(head)
