"""Optimizers: AdamW in several precisions, and Muon."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from utils import hardware
from utils.config import RunConfig
from utils.errors import UserError
from utils.model.shape import table_ids

CACHED_VALUES = 2**17


def build(network: PreTrainedModel, config: RunConfig) -> "torch.optim.Optimizer | Muon":
    """torch's fused AdamW, `StochasticAdamW` for bfloat16 weights or states, torchao's 8-bit AdamW, or Muon.

    No weight decay on norms and biases. Raises `UserError` when torchao is needed and missing, and for Muon with
    sharded or bfloat16 weights.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = _groups(trained, config)
    options: dict[str, Any] = dict(
        lr=config.learning_rate, betas=(config.adam_beta1, config.adam_beta2), eps=config.adam_epsilon
    )
    is_bfloat16 = trained[0].dtype == torch.bfloat16
    if config.optim == "muon":
        if is_bfloat16 or any(isinstance(parameter, DTensor) for parameter in trained):
            raise UserError("muon needs whole weights in float32: one process, and dtype float32 or bfloat16.")
        return Muon(network, trained, config, options)
    if config.optim == "adamw_torch_8bit":
        try:
            from torchao.optim import AdamW8bit
        except ImportError:
            raise UserError("adamw_torch_8bit needs torchao: pip install torchao==0.18.0, or another optim.") from None
        return AdamW8bit(groups, **options, bf16_stochastic_round=is_bfloat16)
    if is_bfloat16 or config.optim == "adamw_bfloat16":
        state_dtype = torch.bfloat16 if config.optim == "adamw_bfloat16" else torch.float32
        return StochasticAdamW(groups, **options, state_dtype=state_dtype)
    return torch.optim.AdamW(groups, **options, fused=True)


def _groups(parameters: Sequence[torch.Tensor], config: RunConfig) -> list[dict]:
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


class StochasticAdamW(torch.optim.Optimizer):
    """AdamW (Loshchilov and Hutter 2019) with stochastic rounding, for bfloat16 weights or states.

    bfloat16 values near 1 are 0.008 apart: with rounding to nearest, updates of 2e-5 would be lost. Stochastic rounding
    keeps them on average. Uses torch's default generator.
    """

    def __init__(
        self, params, lr: float, betas: tuple[float, float], eps: float, weight_decay=0.0, state_dtype=torch.float32
    ):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))
        self.state_dtype = state_dtype
        on_cpu = all(p.device.type == "cpu" for group in self.param_groups for p in group["params"])
        # Compiled, a GPU reads and writes every value only once. Not tried on a GPU.
        self._move = _move if on_cpu else torch.compile(_move, dynamic=True)

    @torch.no_grad()
    def step(self) -> None:  # ty: ignore[incompatible-method-override]  # no closure
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict) -> None:
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter, dtype=self.state_dtype)
            state["exp_avg_sq"] = torch.zeros_like(parameter, dtype=self.state_dtype)
        state["step"] += 1
        num_steps = state["step"].item()
        # Tensors, so that new values do not recompile; on the CPU, to avoid synchronization.
        rate = torch.tensor(group["lr"] / (1 - beta1**num_steps))
        kept = torch.tensor(1 - group["lr"] * group["weight_decay"])
        correction = torch.tensor(math.sqrt(1 - beta2**num_steps))
        tensors = (parameter, gradient, state["exp_avg"], state["exp_avg_sq"])
        tensors = [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]
        # On a CPU in pieces that fit into its caches.
        size = CACHED_VALUES if parameter.device.type == "cpu" else max(1, parameter.numel())
        for piece in zip(*(tensor.view(-1).split(size) for tensor in tensors), strict=True):
            self._move(*piece, rate, kept, correction, beta1, beta2, group["eps"])


def _move(weight, gradient, exp_avg, exp_avg_sq, rate, kept, correction, beta1, beta2, eps) -> None:
    """One AdamW update in float32, stored in the dtypes of weights and states."""
    gradient = gradient.float()
    average = exp_avg.float().lerp_(gradient, 1 - beta1)
    square = exp_avg_sq.float().mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    step = square.sqrt().div_(correction).add_(eps).reciprocal_().mul_(average).mul_(rate)
    moved = weight.float().mul_(kept).sub_(step)
    for stored, value in ((weight, moved), (exp_avg, average), (exp_avg_sq, square)):
        if stored.dtype == torch.bfloat16:  # otherwise updated in place
            stored.copy_(round_stochastically(value))


class Muon:
    """torch's Muon (Jordan et al. 2024) for the matrices of the blocks, at AdamW's scale; fused AdamW for the rest.

    Not covered: sharded weights, since an update needs whole matrices.
    """

    def __init__(self, network: PreTrainedModel, trained: Sequence[torch.Tensor], config: RunConfig, options: dict):
        tables = table_ids(network)
        matrices = [p for p in trained if p.ndim == 2 and id(p) not in tables]
        rest = [p for p in trained if p.ndim != 2 or id(p) in tables]
        muon = torch.optim.Muon(matrices, config.learning_rate, config.weight_decay, adjust_lr_fn="match_rms_adamw")
        self.parts = [muon, torch.optim.AdamW(_groups(rest, config), **options, fused=True)]
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    @property
    def state(self) -> dict:
        return {parameter: state for part in self.parts for parameter, state in part.state.items()}

    def step(self) -> None:
        # torch's Muon multiplies in bfloat16 for any dtype of weights.
        with hardware.float32_products("bfloat16", self.param_groups[0]["params"][0].device):
            for part in self.parts:
                part.step()

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad()


def round_stochastically(values: torch.Tensor) -> torch.Tensor:
    """Finite float32 values as bfloat16 with stochastic rounding, so that the expected value is preserved.

    A bfloat16 is the upper half of a float32: a random number added to the lower half carries with the right frequency.
    """
    bits = values.view(torch.int32)
    rounded = torch.randint_like(bits, 1 << 16).add_(bits).bitwise_and_(-(1 << 16))
    return rounded.view(torch.float32).to(torch.bfloat16)


def set_learning_rate(optimizer: torch.optim.Optimizer | Muon, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):  # torchao's, part of its compiled graph
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def are_finite(tensors: Iterable[torch.Tensor]) -> bool:
    """Whether all values of this process are finite; without a copy of a tensor."""
    local = (tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors)
    floats = (tensor for tensor in local if tensor.is_floating_point() and tensor.numel())
    return all(math.isfinite(value) for tensor in floats for value in torch.aminmax(tensor.detach()))


def state_tensors(network: torch.nn.Module, optimizer: torch.optim.Optimizer | Muon) -> tuple[dict, dict]:
    """All tensors of a checkpoint by name: trained weights and optimizer states, created if there are none.

    The second dictionary holds those of this process alone that cannot be resharded: 8-bit states, whose blocks cross
    rows.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    # Without states before the first update, and those that had no gradient yet.
    if new := [parameter for parameter in parameters if not optimizer.state.get(parameter)]:
        set_learning_rate(optimizer, 0.0)
        for parameter in new:
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()  # with a rate of 0, to create the states
        optimizer.zero_grad()
        for parameter in new:
            for value in optimizer.state[parameter].values():
                if isinstance(value, torch.Tensor) and not value.ndim:
                    value.zero_()  # the step count
    shared, own, states = {}, {}, optimizer.state
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        shared[f"model.{name}"] = parameter.data
        for key, value in states[parameter].items():
            local = value.to_local() if isinstance(value, DTensor) else value
            if hasattr(local, "__tensor_flatten__"):  # quantized: a tensor made of several
                parts = local.__tensor_flatten__()[0]
                own |= {f"optimizer.{name}.{key}.{part}": getattr(local, part) for part in parts}
            else:
                shared[f"optimizer.{name}.{key}"] = value
    return shared, own
