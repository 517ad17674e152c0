"""The sizes of a causal model, from its configuration without loading weights."""

import json
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM


@dataclass(frozen=True)
class Shape:
    """The sizes of a causal model."""

    num_parameters: int
    num_layers: int
    num_block_parameters: int  # in the largest of the repeated blocks
    num_matrix_parameters: int  # in matrices, without embeddings and head
    num_head_parameters: int
    num_largest_parameters: int  # in the largest tensor
    num_rank_parameters: int  # of LoRA with rank 1
    width: int
    vocab_size: int

    def training_flops(self, lora_rank: int = 0) -> tuple[int, int]:
        """FLOPs of training per token, and additional ones per target token, for the head.

        Six per weight of a matrix, two forward and four backward (Kaplan et al. 2020); four if it is frozen. Not
        counted: attention scores and recomputation.
        """
        per_weight, adapters = (4, 6 * lora_rank * self.num_rank_parameters) if lora_rank else (6, 0)
        return per_weight * self.num_matrix_parameters + adapters, per_weight * self.num_head_parameters


def config_key(model_config) -> str:
    """A model's configuration as text, the key of cached results about it."""
    return model_config.to_json_string()


def context_of(model_config) -> int:
    """The longest sequence of a model in tokens; a million where its configuration sets no limit."""
    context = getattr(model_config.get_text_config(), "max_position_embeddings", None)
    return context if isinstance(context, int) and context > 0 else 2**20


def config_of(key: str):
    def decode(value: dict):  # transformers writes infinities as {"__float__": "Infinity"}
        return float(value["__float__"]) if list(value) == ["__float__"] else value

    return AutoConfig.for_model(**json.loads(key, object_hook=decode))


@lru_cache(maxsize=32)
def shape_of(key: str) -> Shape:
    """The sizes of the model of this configuration (see `config_key`), counted without memory for its weights."""
    network = meta_network(key)
    config = network.config.get_text_config()
    head = (network.get_output_embeddings() or network.get_input_embeddings()).weight
    tables = table_ids(network)
    parameters = list(network.parameters())
    layers = [module for module in network.modules() if isinstance(module, nn.Linear) and module.weight is not head]
    blocks = blocks_of(network)[1] or [network]
    return Shape(
        num_parameters=sum(p.numel() for p in parameters),
        num_layers=len(blocks),
        num_block_parameters=max(sum(p.numel() for p in block.parameters()) for block in blocks),
        num_matrix_parameters=sum(p.numel() for p in parameters if p.ndim >= 2 and id(p) not in tables),
        num_head_parameters=head.numel(),
        num_largest_parameters=max(p.numel() for p in parameters),
        num_rank_parameters=sum(layer.in_features + layer.out_features for layer in layers),
        width=config.hidden_size,
        vocab_size=head.shape[0],
    )


def blocks_of(network) -> tuple[str, nn.ModuleList]:
    """The repeated blocks and their name in the model; none where no list is as long as there are layers."""
    lists = ((name, module) for name, module in network.named_modules() if isinstance(module, nn.ModuleList))
    num_layers = network.config.get_text_config().num_hidden_layers
    return next((found for found in lists if len(found[1]) == num_layers), ("", nn.ModuleList()))


def table_ids(network) -> set[int]:
    """The `id` of each parameter of embeddings and head."""
    tables = [module for module in network.modules() if isinstance(module, nn.Embedding)]
    tables += filter(None, [network.get_output_embeddings()])
    return {id(parameter) for table in tables for parameter in table.parameters()}


def meta_network(key: str, dtype=torch.float32, num_layers: int = 0, attn_implementation: str = "eager"):
    """A model on the meta device, with its first `num_layers` layers (0: all)."""
    config = config_of(key)
    if num_layers:
        cut_layers(config, num_layers)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attn_implementation).eval()


def cut_layers(model_config, num_layers: int) -> None:
    """Keep the first layers of a configuration, in place, with the lists that have an entry per layer."""
    text = model_config.get_text_config()
    for name, value in text.to_dict().items():
        if isinstance(value, list | tuple) and len(value) == text.num_hidden_layers:
            setattr(text, name, value[:num_layers])
    text.num_hidden_layers = num_layers
