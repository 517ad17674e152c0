"""Low-rank adapters (LoRA, Hu et al. 2021) with peft: small trained matrices beside frozen linear layers.

A layer W computes W x + (alpha / r) B A x. A is random and B is 0, so training starts from the model itself.
"""

from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor, Replicate
from torch.nn.modules.conv import _ConvNd

from utils.errors import UserError


def add(network: nn.Module, rank: int, alpha: float, seed: int = 0) -> None:
    """Freeze a causal model and add a float32 adapter to each linear layer except the head, in place.

    The same seed gives the same adapters on every process; they are not sharded. Raises `UserError` when peft is not
    installed or does not support the model, and for experts and gates that are not linear layers. Not covered:
    embeddings, convolutions and LoRA dropout.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise UserError("lora_rank needs peft: pip install peft==0.21.2, or set lora_rank=0.") from None
    with torch.random.fork_rng(devices=[]):  # peft draws on the CPU
        torch.manual_seed(seed)
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules="all-linear")  # ty: ignore[invalid-argument-type]
        try:
            inject_adapter_in_model(config, network)
        except ValueError as error:
            raise UserError(f"peft cannot adapt {type(network).__name__} ({error}): use full fine-tuning.") from error
    convolutions = (module for module in network.modules() if isinstance(module, _ConvNd))
    known = {id(parameter) for module in convolutions for parameter in module.parameters()}
    for name, parameter in network.named_parameters():
        if id(parameter) not in known and sum(size > 1 for size in parameter.shape) > 2:
            raise UserError(f"lora_rank cannot adapt the experts or gates {name} of this model: use full fine-tuning.")
    for layer in {type(layer.base_layer): layer for layer in layers(network)}.values():
        change, weight = layer.get_delta_weight("default"), layer.base_layer.weight
        if change.shape != weight.shape:  # it could not be merged at the end
            raise UserError(f"lora_rank cannot adapt {type(layer.base_layer).__name__} layers: use full fine-tuning.")
    for parameter in trained(network):
        parameter.data = parameter.data.float()  # peft uses the dtype of the frozen weights


def trained(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def layers(network: nn.Module) -> list[Any]:
    from peft.tuners.lora import LoraLayer

    return [module for module in network.modules() if isinstance(module, LoraLayer)]


@torch.no_grad()
def merge(network: nn.Module) -> None:
    """Merge every adapter into its weights, with one rounding, and remove it, in place."""
    from peft.tuners.lora import LoraLayer

    for name, layer in list(network.named_modules()):
        if isinstance(layer, LoraLayer):
            weight, change = layer.base_layer.weight, layer.get_delta_weight("default")  # (out, in)
            if isinstance(weight, DTensor):  # each process keeps its rows of the change
                change = DTensor.from_local(change, weight.device_mesh, [Replicate()]).redistribute(
                    placements=weight.placements
                )
            weight.copy_(change.add_(weight))  # in place: no float32 copy of the weight
            network.set_submodule(name, layer.base_layer)
