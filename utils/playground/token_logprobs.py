"""The probability of every token of an answer under a model, its own or another."""

import math
from dataclasses import dataclass

import torch

from utils.model.shape import context_of

NUM_ALTERNATIVES = 5


@dataclass(frozen=True)
class TokenScore:
    """One token of an answer: its text, its probability, and the likeliest alternatives."""

    text: str
    probability: float
    alternatives: tuple[tuple[str, float], ...]


@torch.no_grad()
def score(model, tokenizer, prompt_ids: list[int], answer_ids: list[int]) -> list[TokenScore]:
    """The probabilities of the answer's tokens after the prompt, in one forward pass.

    Without temperature, top-p, top-k and penalty. Tokens beyond the model's context are left out.
    """
    room = context_of(model.config) - len(prompt_ids) + 1
    answer_ids = answer_ids[: max(0, room)]
    if not answer_ids:
        return []
    ids = torch.tensor([prompt_ids + answer_ids[:-1]], device=model.device)  # (1, T)
    logits = model(ids, use_cache=False, logits_to_keep=len(answer_ids)).logits[
        0, -len(answer_ids) :
    ]  # (answer, vocabulary)
    probabilities = logits.float().softmax(-1)
    likeliest = probabilities.topk(min(NUM_ALTERNATIVES, probabilities.shape[-1]), dim=-1)
    of_answer = probabilities.gather(1, torch.tensor(answer_ids, device=model.device)[:, None])[:, 0].tolist()
    scores = []
    for token_id, probability, values, ids in zip(
        answer_ids, of_answer, likeliest.values.tolist(), likeliest.indices.tolist(), strict=True
    ):
        alternatives = tuple((tokenizer.decode([other]), value) for other, value in zip(ids, values, strict=True))
        scores.append(TokenScore(tokenizer.decode([token_id]), probability, alternatives))
    return scores


def loss(scores: list[TokenScore]) -> float:
    """The mean negative log probability, in nats per token, as a run's loss; NaN without tokens."""
    # Probabilities may be rounded to 0.
    return sum(-math.log(max(token.probability, 1e-38)) for token in scores) / len(scores) if scores else math.nan
