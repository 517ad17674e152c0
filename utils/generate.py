"""Answers from a model: one streamed as it is written, or many in one batch.

One decoding loop serves both: the prompt goes through the model once, then one token at a time over a key/value cache.
Every row draws from a generator of its own, so the same seed gives the same text alone, in a batch, or beside another
model at work. Text is decoded with special tokens shown (only the final end-of-text is left out), so nothing that a
model writes is hidden. A special token spelled out in a prompt, such as `<|endoftext|>`, stays text, as in training;
only those that a chat template writes itself are special.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import NamedTuple

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from utils.errors import UserError
from utils.prompts import ALPACA, encode_prompts

END_OF_TEXT, LIMIT, STOPPED = "end-of-text", "limit", "stopped"


@dataclass(frozen=True)
class GenerationSettings:
    """How an answer is drawn; raises `UserError` when a value is outside its limits."""

    max_new_tokens: int = 256
    temperature: float = 0.0  # 0: greedy, always the likeliest token
    top_p: float = 1.0  # draw among the likeliest tokens that together have this probability
    seed: int = 0

    def __post_init__(self):
        _check("max_new_tokens", self.max_new_tokens, self.max_new_tokens >= 1, "at least 1 token")
        _check("temperature", self.temperature, 0 <= self.temperature < math.inf, "0 (greedy) or more")
        _check("top_p", self.top_p, 0 < self.top_p <= 1, "above 0 and at most 1")
        _check("seed", self.seed, 0 <= self.seed < 2**63, "between 0 and 2**63 - 1")


def _check(name: str, value: float, is_allowed: bool, allowed: str) -> None:
    if not is_allowed:
        raise UserError(f"{name} must be {allowed}, got {value!r}.")


class Answer(NamedTuple):
    """What a model wrote, and why it ended: `END_OF_TEXT` or `LIMIT`."""

    text: str
    reason: str


class Stream(Iterator[str]):
    """The pieces of one answer; `reason` says why it ended and is empty until then, `num_tokens` counts as it grows.

    A piece is never half a character, and the pieces joined are the decoded new tokens without end-of-text.
    """

    def __init__(self, model, tokenizer, prompt: str, settings: GenerationSettings, stop: Event | None, template: str):
        self.reason = ""
        self.num_tokens = 0
        prompt_ids = prompt_row(model, tokenizer, prompt, template)
        self._pieces = _pieces(tokenizer, self._ids(model, tokenizer, prompt_ids, settings, stop or Event()))

    def __next__(self) -> str:
        return next(self._pieces)

    def _ids(self, model, tokenizer, prompt_ids, settings, stop) -> Iterator[int]:
        steps = _decode(model, [prompt_ids], settings)
        for _ in range(_num_new_tokens(model, prompt_ids, settings)):
            if stop.is_set():
                self.reason = STOPPED
                return
            token_id = next(steps)[0]
            self.num_tokens += 1
            if token_id == tokenizer.eos_token_id:
                self.reason = END_OF_TEXT
                return
            yield token_id
        self.reason = LIMIT


def stream(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    settings: GenerationSettings,
    stop: Event | None = None,
    template: str = ALPACA,
) -> Stream:
    """The answer to `prompt`, piece by piece, as an iterator with `reason` and `num_tokens`.

    `template` is the one that `format_prompt` made the prompt with: in `chat` its special tokens become ids.
    `reason` is `end-of-text`, `limit` (`max_new_tokens` or the model's context is used up) or `stopped` (the event
    `stop` was set: at most one more token is computed). Raises `UserError` for a prompt that is empty or fills the
    model's context. Not covered: stop strings, models whose context is not `config.max_position_embeddings`.
    """
    return Stream(model, tokenizer, prompt, settings, stop, template)


def generate_batch(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[str],
    settings: GenerationSettings,
    template: str = ALPACA,
) -> list[Answer]:
    """The answers to `prompts`, in one batch padded on the left; every answer is the one `stream` gives alone.

    In low precision the padding can tip a near tie between two tokens. Raises `UserError` as `stream` does.
    Not covered: more prompts than fit into memory at once.
    """
    rows = [prompt_row(model, tokenizer, prompt, template) for prompt in prompts]
    return generate_rows(model, tokenizer, rows, settings)


def generate_rows(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[list[int]],
    settings: GenerationSettings,
    agree: Callable[[list[int]], list[int]] = list,
) -> list[Answer]:
    """As `generate_batch`, what follows rows of ids, each shorter than the model's context.

    Where several processes hold the model together, all must call this, and `agree` gives each the first one's ids:
    else a near tie could end an answer for one of them only, and the others would wait for it.
    """
    if not rows:
        return []
    limits = [_num_new_tokens(model, row, settings) for row in rows]
    answers: list[list[int]] = [[] for _ in rows]
    is_open, reasons = [True] * len(rows), [LIMIT] * len(rows)
    steps = _decode(model, rows, settings)
    while any(is_open):
        for row, token_id in enumerate(agree(next(steps))):
            if is_open[row] and token_id == tokenizer.eos_token_id:
                is_open[row], reasons[row] = False, END_OF_TEXT
            elif is_open[row]:
                answers[row].append(token_id)
                is_open[row] = len(answers[row]) < limits[row]
    return [Answer(_text(tokenizer, ids), reason) for ids, reason in zip(answers, reasons, strict=True)]


def prompt_row(model, tokenizer, prompt: str, template: str) -> list[int]:
    """The prompt's ids, made as in training; raises `UserError` when no answer fits behind them."""
    (ids,) = encode_prompts([prompt], tokenizer, template)
    context = model.config.max_position_embeddings
    if not ids:
        raise UserError("The prompt is empty: write at least one character.")
    if len(ids) >= context:
        raise UserError(
            f"The prompt has {len(ids):,} tokens; the model's context of {context:,} tokens has to hold the prompt "
            f"and the answer. Shorten the prompt by at least {len(ids) - context + 1:,} tokens."
        )
    return ids


def _num_new_tokens(model, prompt_ids: list[int], settings: GenerationSettings) -> int:
    return min(settings.max_new_tokens, model.config.max_position_embeddings - len(prompt_ids))


@torch.no_grad()  # not inference_mode: a sharded model that is trained on keeps what it gathers here
def _decode(model, rows: list[list[int]], settings: GenerationSettings) -> Iterator[list[int]]:
    """Yield the next id of every row, step after step without end; a step is computed when it is asked for."""
    longest = max(map(len, rows))
    device, context = model.device, model.config.max_position_embeddings
    # Padded on the left, so that every row's newest token is in the last column; masked, so that its id is never seen.
    input_ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=device)  # (rows, longest)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    position_ids = (mask.cumsum(-1) - 1).clamp(min=0)  # (rows, longest): each row counts from its own first token
    is_padded = any(len(row) < longest for row in rows)
    cache = DynamicCache(config=model.config)
    # On the CPU, so that a seed draws the same numbers on every device.
    generators = [torch.Generator("cpu").manual_seed(settings.seed) for _ in rows]
    while True:
        logits = model(
            input_ids,
            attention_mask=mask if is_padded else None,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]  # (rows, vocabulary)
        next_ids = _choose(logits, settings, generators)  # (rows,)
        yield next_ids.tolist()
        input_ids = next_ids[:, None]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=-1)
        # A row that has ended still takes its turns: it stays on the last position instead of running past it.
        position_ids = (position_ids[:, -1:] + 1).clamp(max=context - 1)


def _choose(logits: torch.Tensor, settings: GenerationSettings, generators: list[torch.Generator]) -> torch.Tensor:
    """One id per row, (rows,), from logits (rows, vocabulary): the likeliest, or drawn from the nucleus `top_p`."""
    if settings.temperature == 0:
        return logits.argmax(-1)
    logits = logits.double()
    # With the largest logit at 0 even the smallest temperature cannot overflow.
    scaled = (logits - logits.max(-1, keepdim=True).values) / settings.temperature
    likeliest, ids = scaled.sort(dim=-1, descending=True, stable=True)
    cumulative = likeliest.softmax(-1).cumsum(-1)  # (rows, vocabulary)
    size = (cumulative < settings.top_p).sum(-1, keepdim=True).clamp(max=logits.shape[-1] - 1) + 1  # (rows, 1)
    draws = torch.stack([torch.rand(1, generator=generator, dtype=torch.float64) for generator in generators])
    # A number drawn below the nucleus's probability falls into one token's share of it; rounded up, into the last.
    threshold = draws.to(logits.device) * cumulative.gather(-1, size - 1)  # (rows, 1)
    chosen = torch.searchsorted(cumulative, threshold, right=True).minimum(size - 1)
    return ids.gather(-1, chosen)[:, 0]


def _text(tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def _pieces(tokenizer, ids: Iterable[int]) -> Iterator[str]:
    """The text of `ids` in pieces of whole characters, each as soon as it is certain."""
    known: list[int] = []  # the piece before: some tokenizers write a token's leading space only after another token
    held: list[int] = []
    for token_id in ids:
        held.append(token_id)
        text = _text(tokenizer, known + held)
        if not text.endswith("\ufffd"):  # else a character's bytes may go on in the next token
            yield text[len(_text(tokenizer, known)) :]
            known, held = held, []
    if held:
        yield _text(tokenizer, known + held)[len(_text(tokenizer, known)) :]
