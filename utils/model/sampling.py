"""Sampling parameters, and the choice of the next token from logits."""

import math
from dataclasses import dataclass

import torch

from utils.errors import UserError


@dataclass(frozen=True)
class GenerationSettings:
    """Sampling parameters with transformers' names; raises `UserError` when a value is outside its limits."""

    max_new_tokens: int = 256
    temperature: float = 0.0  # 0: greedy
    top_p: float = 1.0  # sample from the likeliest tokens with this cumulative probability
    top_k: int = 0  # sample from this many likeliest tokens; 0: all
    repetition_penalty: float = 1.0  # above 1: tokens of prompt and answer become less likely
    stop: tuple[str, ...] = ()  # the answer ends before the first of these
    seed: int = 0

    def __post_init__(self):
        _check("max_new_tokens", self.max_new_tokens, self.max_new_tokens >= 1, "at least 1 token")
        _check("temperature", self.temperature, 0 <= self.temperature < math.inf, "0 (greedy) or more")
        _check("top_p", self.top_p, 0 < self.top_p <= 1, "above 0 and at most 1")
        _check("top_k", self.top_k, self.top_k >= 0, "0 (all tokens) or more")
        is_penalty = 0 < self.repetition_penalty < math.inf
        _check("repetition_penalty", self.repetition_penalty, is_penalty, "above 0; 1 changes nothing")
        _check("stop", self.stop, all(self.stop), "strings of at least one character")
        _check("seed", self.seed, 0 <= self.seed < 2**63, "between 0 and 2**63 - 1")


def _check(name: str, value: object, is_allowed: bool, allowed: str) -> None:
    if not is_allowed:
        raise UserError(f"{name} must be {allowed}, got {value!r}.", name)


def penalize(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Logits (rows, vocabulary) with the repetition penalty (Keskar et al. 2019), as in transformers."""
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def sample(logits: torch.Tensor, settings: GenerationSettings, generators: list[torch.Generator]) -> torch.Tensor:
    """One id per row, (rows,), from logits (rows, vocabulary): greedy, or sampled with `top_k` and `top_p`."""
    if settings.temperature == 0:
        return logits.argmax(-1)
    logits = logits.double()
    # With the largest logit at 0 no temperature overflows.
    scaled = (logits - logits.max(-1, keepdim=True).values) / settings.temperature
    likeliest, ids = scaled.sort(dim=-1, descending=True, stable=True)
    if settings.top_k:
        likeliest, ids = likeliest[:, : settings.top_k], ids[:, : settings.top_k]
    cumulative = likeliest.softmax(-1).cumsum(-1)  # (rows, kept)
    size = (cumulative < settings.top_p).sum(-1, keepdim=True).clamp(max=cumulative.shape[-1] - 1) + 1  # (rows, 1)
    draws = torch.stack([torch.rand(1, generator=generator, dtype=torch.float64) for generator in generators])
    # The draw falls into one token's share of the nucleus; rounded up, into the last.
    threshold = draws.to(logits.device) * cumulative.gather(-1, size - 1)  # (rows, 1)
    chosen = torch.searchsorted(cumulative, threshold, right=True).minimum(size - 1)
    return ids.gather(-1, chosen)[:, 0]
