"""Decoding: the next token of every row, step by step, over a key/value cache where that is exact."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel

from utils.model.packing_support import small_copy
from utils.model.sampling import GenerationSettings, penalize, sample
from utils.model.shape import config_key, context_of

MIN_COLUMNS = 64  # of the proof, which shorter prompts share
# Of the proof on a small copy: relative to the largest logit, in float32; steps; the widest batch.
TOLERANCE, NUM_STEPS, MAX_COLUMNS = 1e-4, 3, 2048


def decoder_of(model, rows: Sequence[list[int]], settings: GenerationSettings) -> "Decoder":
    """The decoder of these rows: over a cache where a small copy of the model proves it exact, else without.

    Not covered: differences that appear only in batches of more than `MAX_COLUMNS` columns.
    """
    context, lengths = context_of(model.config), [len(row) for row in rows] or [0]
    num_columns = max(lengths) + min(settings.max_new_tokens, context - min(lengths))
    # Rounded up, so that similar prompts share a proof.
    width = min(max(MIN_COLUMNS, 1 << (num_columns - 1).bit_length()), context, MAX_COLUMNS)
    is_padded = len(set(lengths)) > 1
    is_exact = _is_exact(config_key(model.config), width, is_padded)
    return (Cached if is_exact else Recomputing)(model, rows, settings)


@lru_cache(maxsize=64)
@torch.no_grad()
def _is_exact(key: str, num_columns: int, is_padded: bool) -> bool:
    """Whether a small copy of the model has the same logits for rows of this width over a cache as without one."""
    settings = GenerationSettings(max_new_tokens=NUM_STEPS)
    long = [5 + column % 89 for column in range(num_columns - NUM_STEPS)]
    rows = [long, long[:3]] if is_padded else [long]
    try:
        network = small_copy(key)
        decoders = Cached(network, rows, settings), Recomputing(network, rows, settings)
        for _ in range(NUM_STEPS):
            logits, expected = (decoder.logits() for decoder in decoders)
            if not (logits - expected).abs().max() <= TOLERANCE * expected.abs().max():
                return False
            for decoder in decoders:
                decoder.append(expected.argmax(-1))
        return True
    except Exception:  # a recurrent state, a cache of its own, no positions
        return False


class Decoder:
    """Computes the next token of every row, step by step."""

    def __init__(self, model: PreTrainedModel, rows: Sequence[list[int]], settings: GenerationSettings):
        self.model, self.settings = model, settings
        size = model.config.get_text_config().vocab_size
        # As in transformers' `generate`, which ignores ids beyond the vocabulary. Some models have no such settings.
        suppressed = getattr(getattr(model, "generation_config", None), "suppress_tokens", None) or []
        self.suppressed = [token for token in suppressed if 0 <= token < size]
        # On the CPU, so that a seed gives the same numbers on every device.
        self.generators = [torch.Generator("cpu").manual_seed(settings.seed + index) for index in range(len(rows))]
        self.seen: torch.Tensor | None = None  # (rows, vocabulary): tokens to penalize
        if settings.repetition_penalty != 1:
            self.seen = torch.zeros(len(rows), size, dtype=torch.bool, device=model.device)
            for index, row in enumerate(rows):
                self.seen[index, row] = True

    @torch.no_grad()  # not inference_mode: a sharded model in training keeps the gathered weights
    def step(self) -> list[int]:
        """The next id of every row."""
        logits = self.logits()  # (rows, vocabulary)
        if self.suppressed:
            logits[:, self.suppressed] = -torch.inf
        if self.seen is not None:
            logits = penalize(logits, self.seen, self.settings.repetition_penalty)
        next_ids = sample(logits, self.settings, self.generators)  # (rows,)
        if self.seen is not None:
            self.seen.scatter_(1, next_ids[:, None], True)
        self.append(next_ids)
        return next_ids.tolist()

    def logits(self) -> torch.Tensor:
        """Those of the next token of every row (rows, vocabulary)."""
        raise NotImplementedError

    def append(self, next_ids: torch.Tensor) -> None:
        """Append an id to every row."""
        raise NotImplementedError

    def keep(self, indices: list[int]) -> None:
        """Continue with these rows only."""
        self.generators = [self.generators[index] for index in indices]
        self.seen = None if self.seen is None else self.seen[indices]


class Recomputing(Decoder):
    """Without cache and padding: slow, and right for every causal model."""

    def __init__(self, model, rows: Sequence[list[int]], settings: GenerationSettings):
        super().__init__(model, rows, settings)
        self.rows, self.context = [list(row) for row in rows], context_of(model.config)

    def logits(self) -> torch.Tensor:
        # Ended rows are still computed; what is beyond the context is of no use.
        ids = [torch.tensor([row[-self.context :]], device=self.model.device) for row in self.rows]  # (1, T)
        return torch.cat([self.model(input_ids=row, use_cache=False).logits[:, -1] for row in ids])

    def append(self, next_ids: torch.Tensor) -> None:
        for row, token_id in zip(self.rows, next_ids.tolist(), strict=True):
            row.append(token_id)

    def keep(self, indices: list[int]) -> None:
        self.rows = [self.rows[index] for index in indices]
        super().keep(indices)


class Cached(Decoder):
    """Left-padded rows over a key/value cache."""

    def __init__(self, model, rows: Sequence[list[int]], settings: GenerationSettings):
        super().__init__(model, rows, settings)
        self.context = context_of(model.config)
        self.cache = DynamicCache(config=model.config)
        longest = max(map(len, rows), default=0)
        # The newest token of every row is in the last column. The padding is masked.
        padded = [[0] * (longest - len(row)) + row for row in rows]
        self.input_ids = torch.tensor(padded, device=model.device)  # (rows, longest)
        lengths = torch.tensor([len(row) for row in rows], device=model.device)
        columns = torch.arange(longest, device=model.device)
        self.mask = (columns >= longest - lengths[:, None]).long()  # (rows, longest)
        # Positions count from the first token of each row.
        self.position_ids = (self.mask.cumsum(-1) - 1).clamp(min=0)  # (rows, longest)
        self.is_padded = any(len(row) < longest for row in rows)

    def logits(self) -> torch.Tensor:
        return self.model(
            self.input_ids,
            attention_mask=self.mask if self.is_padded else None,
            position_ids=self.position_ids,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]

    def append(self, next_ids: torch.Tensor) -> None:
        self.input_ids = next_ids[:, None]
        # Ended rows are still computed; their position is clamped to the context.
        self.position_ids = (self.position_ids[:, -1:] + 1).clamp(max=self.context - 1)
        self.mask = functional.pad(self.mask, (0, 1), value=1)  # (rows, columns + 1)

    def keep(self, indices: list[int]) -> None:
        self.cache.batch_select_indices(torch.tensor(indices, device=self.input_ids.device))
        self.input_ids, self.mask, self.position_ids = (
            tensor[indices] for tensor in (self.input_ids, self.mask, self.position_ids)
        )
        super().keep(indices)
