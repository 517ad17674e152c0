"""The optimizer and its learning rate."""

import math

import torch

from utils.config import RunConfig


def build(network: torch.nn.Module, config: RunConfig) -> torch.optim.AdamW:
    """AdamW, fused, its states in the dtype of the weights; norms and biases are spared the weight decay."""
    named = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in named if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    betas = (config.adam_beta1, config.adam_beta2)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, eps=config.adam_epsilon, fused=True)


def learning_rate(config: RunConfig, update: int, num_updates: int) -> float:
    """The rate of update number `update` (from 0): linear warm-up, then cosine or linear to 0, or constant.

    As transformers' schedules, but from the update's number alone, so that a resumed run needs no state for it.
    """
    warmup = config.warmup_steps if config.warmup_steps >= 1 else math.ceil(config.warmup_steps * num_updates)
    if update < warmup:
        return config.learning_rate * (update + 1) / (warmup + 1)
    if config.lr_scheduler_type == "constant":
        return config.learning_rate
    progress = (update - warmup) / max(1, num_updates - warmup)
    if config.lr_scheduler_type == "linear":
        return config.learning_rate * (1 - progress)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def state_tensors(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Every tensor a resumed run needs, by name: the weights and the optimizer's states, made where there are none."""
    if not optimizer.state:
        for group in optimizer.param_groups:
            group["lr"] = 0.0
            for parameter in group["params"]:
                parameter.grad = torch.zeros_like(parameter)
        optimizer.step()  # at a rate of 0, to make the states
        optimizer.zero_grad()
        for state in optimizer.state.values():
            state["step"].zero_()
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in network.named_parameters():
        tensors[f"model.{name}"] = parameter.data
        tensors |= {f"optimizer.{name}.{key}": value for key, value in optimizer.state[parameter].items()}
    return tensors
