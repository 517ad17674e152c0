"""Samples during training: answers to a few fixed prompts, in `samples.jsonl` (see `runs.metrics`)."""

from pathlib import Path

import numpy as np
import torch

from utils.model.attention import PACKED
from utils.model.generation import Answer, GenerationSettings, generate_rows
from utils.runs import metrics
from utils.tokens.dataset import TokenRows
from utils.tokens.packing import spread
from utils.training.distributed import Ranks

MAX_NEW_TOKENS = 128


def choose(rows: TokenRows, chosen: np.ndarray, number: int) -> np.ndarray:
    """At most `number` of the chosen rows with a prompt, evenly spread."""
    asking = chosen[rows.prompt_lengths[chosen] > 0]
    return np.array(spread(asking, number), dtype=int)


def write(run_dir: Path, step: int, network, tokenizer, rows: TokenRows, chosen: np.ndarray, ranks: Ranks) -> None:
    """Append the model's greedy answers to the prompts of these rows, at most `MAX_NEW_TOKENS` tokens each.

    All ranks must call it, in eval mode; rank 0 writes. The prompts have the same ids as in training.
    """
    if not len(chosen):
        return
    prompts = [rows[row][: rows.prompt_lengths[row]].tolist() for row in chosen]
    answers = greedy(network, tokenizer, prompts, MAX_NEW_TOKENS, ranks)
    for row, prompt, answer in zip(chosen.tolist(), prompts, answers, strict=True):
        response = rows[row][len(prompt) :].tolist()
        texts = dict(prompt=tokenizer.decode(prompt), response=tokenizer.decode(response, skip_special_tokens=True))
        record = dict(step=step, row=row, **texts, answer=answer.text, reason=answer.reason)
        if ranks.is_first:
            metrics.append(run_dir, record, metrics.SAMPLES)


def greedy(network, tokenizer, prompts: list[list[int]], max_new_tokens: int, ranks: Ranks) -> list[Answer]:
    """Greedy answers of the model in training, in eval mode; all ranks must call it."""
    implementation = network.config.get_text_config()._attn_implementation
    if implementation == PACKED:  # it has no cache
        network.set_attn_implementation("sdpa" if network._supports_sdpa else "eager")
    try:
        settings = GenerationSettings(max_new_tokens=max_new_tokens)
        with torch.compiler.set_stance("force_eager"):  # a growing cache would be compiled again and again
            return generate_rows(network, tokenizer, prompts, settings, agree=ranks.from_first)
    finally:
        network.set_attn_implementation(implementation)
