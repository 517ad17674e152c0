"""Generation: answers streamed token by token, one or a batch, over a key/value cache.

Every row samples with its own generator, so a seed gives the same text alone and in a batch. Special tokens in answers
are shown, except the final end-of-text. Special tokens spelled out in a prompt stay text, as in training.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, MutableMapping, Sequence
from functools import lru_cache
from threading import Event
from typing import NamedTuple

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase, StaticCache

from utils.errors import UserError
from utils.model.packing_support import small_copy
from utils.model.sampling import GenerationSettings, penalize, sample
from utils.model.shape import config_key, context_of
from utils.tokens.prompts import ALPACA, encode_prompts, stop_ids

END_OF_TEXT, LIMIT, STOP_STRING, STOPPED = "end-of-text", "limit", "stop string", "stopped"
CACHE_STEP = 64  # static caches are rounded up to it, so that similar lengths share a compiled step


class Answer(NamedTuple):
    """An answer, and the reason of its end: `END_OF_TEXT`, `LIMIT` or `STOP_STRING`."""

    text: str
    reason: str


class Draft:
    """A growing answer: `ids`, `text` of whole characters, and the `reason` of its end, empty until then.

    The possible beginning of a stop string is held back from `text`. `num_tokens` includes end-of-text.
    """

    def __init__(self, tokenizer, max_new_tokens: int, stop: tuple[str, ...], stop_ids: Collection[int]):
        self.ids: list[int] = []
        self.text = self.reason = ""
        self.num_tokens = 0
        self._tokenizer, self._max_new_tokens, self._stop, self._stop_ids = tokenizer, max_new_tokens, stop, stop_ids
        self._whole = ""  # including text held back
        # Some tokenizers decode a leading space only after another token: `_known` are the ids before `_held`.
        self._known: list[int] = []
        self._held: list[int] = []

    def add(self, token_id: int) -> None:
        """Append a token; end-of-text, the limit or a stop string ends the answer."""
        self.num_tokens += 1
        if token_id in self._stop_ids:
            return self.end(END_OF_TEXT)
        self.ids.append(token_id)
        self._held.append(token_id)
        text = _text(self._tokenizer, self._known + self._held)
        if not text.endswith("\ufffd"):  # otherwise the character may continue in the next token
            self._take(text)
        if not self.reason and self.num_tokens == self._max_new_tokens:
            self.end(LIMIT)

    def end(self, reason: str) -> None:
        """Show the text held back, and set the reason."""
        if self._held:
            self._take(_text(self._tokenizer, self._known + self._held))
        if not self.reason:
            self.text, self.reason = self._whole, reason

    def _take(self, text: str) -> None:
        """Append the text of the held ids, and end at a stop string."""
        self._whole += text[len(_text(self._tokenizer, self._known)) :]
        self._known, self._held = self._held, []
        ends = [end for stop in self._stop if (end := self._whole.find(stop)) >= 0]
        if ends:
            self.text, self.reason = self._whole[: min(ends)], STOP_STRING
        else:
            self.text = self._whole[: len(self._whole) - _overlap(self._whole, self._stop)]


def _overlap(text: str, stops: tuple[str, ...]) -> int:
    """How many characters at the end of `text` may begin a stop string."""
    sizes = (size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size]))
    return max(sizes, default=0)


def stream(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[list[int]],
    settings: GenerationSettings,
    stop: Event | None = None,
    caches: MutableMapping[PreTrainedModel, StaticCache] | None = None,
    agree: Callable[[list[int]], list[int]] = list,
) -> Iterator[list[Draft]]:
    """Answers to rows of ids, as one left-padded batch: yields the drafts after every token until all have ended.

    Row i samples with the seed `settings.seed + i`. After the event `stop`, open drafts end as `stopped` within one
    token. With a sharded model all ranks must call this, and `agree` returns rank 0's ids, so that near ties end an
    answer on all ranks. `caches` passes a model's static cache on to the next answer, as CUDA graphs require.

    Raises `UserError` for a row that is empty or leaves no room for an answer, and for a static cache that the model
    does not support. In low precision, padding or compilation can change near ties. Not covered: more rows than fit
    into memory.
    """
    context, ends = context_of(model.config), stop_ids(model, tokenizer)
    for row in rows:
        check_room(len(row), context)
    drafts = [Draft(tokenizer, min(settings.max_new_tokens, context - len(row)), settings.stop, ends) for row in rows]
    if settings.static_cache or _can_batch(config_key(model.config)):
        decoder = _Decoder(model, rows, settings, {} if caches is None else caches)
    else:
        decoder = _Recomputing(model, rows, settings)
    return _written(decoder, drafts, stop, agree)


@lru_cache(maxsize=32)
def _can_batch(key: str) -> bool:
    """Whether a small copy of the model answers a padded batch over a cache as it answers each row without one."""
    settings, rows = GenerationSettings(max_new_tokens=4), [[5, 6, 7, 8, 9, 10, 11], [12, 13, 14]]
    try:
        network = small_copy(key)
        cached, plain = _Decoder(network, rows, settings, {}), _Recomputing(network, rows, settings)
        return all(cached.step() == plain.step() for _ in range(4))
    except Exception:  # a recurrent state, a cache of its own, no positions
        return False


def _written(
    decoder: "_Decoder | _Recomputing", drafts: list[Draft], stop: Event | None, agree: Callable
) -> Iterator[list[Draft]]:
    writing = list(drafts)  # the drafts of the decoder's rows
    while any(not draft.reason for draft in writing):
        if stop is not None and stop.is_set():
            for draft in writing:
                draft.end(STOPPED)
        else:
            for draft, token_id in zip(writing, agree(decoder.step()), strict=True):
                if not draft.reason:
                    draft.add(token_id)
            still_open = [index for index, draft in enumerate(writing) if not draft.reason]
            # With a static cache the rows stay: another batch size would be compiled again.
            if 0 < len(still_open) <= len(writing) // 2 and decoder.keep(still_open):
                writing = [writing[index] for index in still_open]
        yield drafts
    decoder.close()


def generate_rows(model, tokenizer, rows, settings, **options) -> list[Answer]:
    """The finished answers to rows of ids; arguments and errors as `stream`."""
    last = deque(stream(model, tokenizer, rows, settings, **options), maxlen=1)
    return [Answer(draft.text, draft.reason) for drafts in last for draft in drafts]


def generate_batch(model, tokenizer, prompts: list[str], settings, template: str = ALPACA) -> list[Answer]:
    return generate_rows(model, tokenizer, encode_prompts(prompts, tokenizer, template), settings)


def check_room(num_tokens: int, context: int) -> None:
    """Raise `UserError` for a prompt that is empty or leaves no room for an answer in the context."""
    if not num_tokens:
        raise UserError("The prompt is empty: write at least one character.")
    if num_tokens >= context:
        raise UserError(
            f"The prompt has {num_tokens:,} tokens; the model's context of {context:,} tokens must hold the prompt "
            f"and the answer. Shorten the prompt by at least {num_tokens - context + 1:,} tokens."
        )


class _Decoder:
    """Computes the next token of every row, step by step."""

    def __init__(self, model, rows: Sequence[list[int]], settings: GenerationSettings, caches: MutableMapping):
        self.model, self.settings, self.is_static, self.caches = model, settings, settings.static_cache, caches
        self.context = context_of(model.config)
        longest, shortest = (of(map(len, rows), default=0) for of in (max, min))
        num_columns = longest + min(settings.max_new_tokens, self.context - shortest)
        dynamic = DynamicCache(config=model.config)
        self.cache = _static_cache(model, rows, num_columns, caches) if self.is_static else dynamic
        # Left padding: the newest token of every row is in the last column. The padding is masked.
        padded = [[0] * (longest - len(row)) + row for row in rows]
        self.input_ids = torch.tensor(padded, device=model.device)  # (rows, longest)
        lengths = torch.tensor([len(row) for row in rows], device=model.device)
        columns = torch.arange(max(num_columns, self.cache.get_max_length()), device=model.device)
        self.mask = (columns >= longest - lengths[:, None]).long()  # (rows, columns), including future ones
        self.num_seen = longest  # columns, including those of the next step
        # Positions count from the first token of each row.
        self.position_ids = (self.mask[:, :longest].cumsum(-1) - 1).clamp(min=0)  # (rows, longest)
        self.is_padded = shortest < longest
        self.forward, self.forward_token = model, _compiled(model) if self.is_static else model
        # On the CPU, so that a seed gives the same numbers on every device.
        self.generators = [torch.Generator("cpu").manual_seed(settings.seed + index) for index in range(len(rows))]
        self.seen: torch.Tensor | None = None  # (rows, vocabulary): tokens to penalize
        if settings.repetition_penalty != 1:
            self.seen = torch.zeros(
                len(rows), model.config.get_text_config().vocab_size, dtype=torch.bool, device=model.device
            )
            for index, row in enumerate(rows):
                self.seen[index, row] = True

    @torch.no_grad()  # not inference_mode: a sharded model in training keeps the gathered weights
    def step(self) -> list[int]:
        mask = self.mask if self.is_static else self.mask[:, : self.num_seen]
        logits = self.forward(
            self.input_ids,
            attention_mask=mask if self.is_padded else None,
            position_ids=self.position_ids,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]  # (rows, vocabulary)
        if self.seen is not None:
            logits = penalize(logits, self.seen, self.settings.repetition_penalty)
        next_ids = sample(logits, self.settings, self.generators)  # (rows,)
        if self.seen is not None:
            self.seen.scatter_(1, next_ids[:, None], True)
        self.input_ids = next_ids[:, None]
        # Ended rows are still computed; their position is clamped to the context.
        self.position_ids = (self.position_ids[:, -1:] + 1).clamp(max=self.context - 1)
        self.num_seen, self.forward = self.num_seen + 1, self.forward_token
        return next_ids.tolist()

    def close(self) -> None:
        if self.is_static:
            self.caches[self.model] = self.cache

    def keep(self, indices: list[int]) -> bool:
        """Continue with these rows only, except with a static cache."""
        if self.is_static:
            return False
        self.cache.batch_select_indices(torch.tensor(indices, device=self.input_ids.device))
        self.input_ids, self.mask, self.position_ids = (
            tensor[indices] for tensor in (self.input_ids, self.mask, self.position_ids)
        )
        self.generators = [self.generators[index] for index in indices]
        self.seen = None if self.seen is None else self.seen[indices]
        return True


class _Recomputing:
    """As `_Decoder`, but without cache and padding: slow, and right for every causal model."""

    def __init__(self, model, rows: Sequence[list[int]], settings: GenerationSettings):
        self.model, self.settings, self.rows = model, settings, [list(row) for row in rows]
        self.generators = [torch.Generator("cpu").manual_seed(settings.seed + index) for index in range(len(rows))]

    @torch.no_grad()
    def step(self) -> list[int]:
        ids = [torch.tensor([row], device=self.model.device) for row in self.rows]  # (1, T)
        logits = torch.cat([self.model(input_ids=row, use_cache=False).logits[:, -1] for row in ids])
        if self.settings.repetition_penalty != 1:
            seen = torch.zeros_like(logits, dtype=torch.bool)  # (rows, vocabulary)
            for mask, row in zip(seen, self.rows, strict=True):
                mask[row] = True
            logits = penalize(logits, seen, self.settings.repetition_penalty)
        next_ids = sample(logits, self.settings, self.generators).tolist()
        for row, token_id in zip(self.rows, next_ids, strict=True):
            row.append(token_id)
        return next_ids

    def keep(self, indices: list[int]) -> bool:
        self.rows = [self.rows[index] for index in indices]
        self.generators = [self.generators[index] for index in indices]
        return True

    def close(self) -> None:
        pass


def _static_cache(model, rows: Sequence[list[int]], num_columns: int, caches: MutableMapping) -> StaticCache:
    """A static cache with at least `num_columns`, the previous one if it is large enough.

    Raises `UserError` where transformers has none for the model or its attention.
    """
    attention = model.config._attn_implementation
    # Other implementations would attend to columns not written yet.
    if not model._can_compile_fullgraph or attention not in ("sdpa", "eager"):
        raise UserError(
            f"static_cache: {type(model).__name__} with {attention!r} attention has no static cache. "
            "Switch static_cache off."
        )
    free = caches.pop(model, None)  # not for concurrent answers
    if free is not None and free.batch_size == len(rows) and free.get_max_length() >= num_columns:
        free.reset()
        return free
    return StaticCache(config=model.config, max_cache_len=-(-num_columns // CACHE_STEP) * CACHE_STEP)


def _compiled(model) -> Callable:
    """The decoding step: on a GPU compiled once and kept with the model.

    Not covered: torch before 2.13 in another thread, where CUDA graphs fail. Not tried on a GPU yet.
    """
    return model.get_compiled_call(None) if model.device.type == "cuda" else model


def _text(tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
