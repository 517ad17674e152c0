"""Generation: answers streamed token by token, one or a batch, over a key/value cache.

Every row samples with its own generator, so a seed gives the same text alone and in a batch. Special tokens in answers
are shown, except the final end-of-text. Special tokens spelled out in a prompt stay text, as in training.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from threading import Event
from typing import NamedTuple

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.errors import UserError
from utils.model.decoding import Decoder, decoder_of
from utils.model.sampling import GenerationSettings
from utils.model.shape import context_of
from utils.tokens.prompts import ALPACA, encode_prompts, stop_ids

END_OF_TEXT, LIMIT, STOP_STRING, STOPPED = "end-of-text", "limit", "stop string", "stopped"


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
    agree: Callable[[list[int]], list[int]] = list,
) -> Iterator[list[Draft]]:
    """Answers to rows of ids, as one left-padded batch: yields the drafts after every token until all have ended.

    Row i samples with the seed `settings.seed + i`. After the event `stop`, open drafts end as `stopped` within one
    token. With a sharded model all ranks must call this, and `agree` returns rank 0's ids, so that near ties end an
    answer on all ranks.

    Raises `UserError` for a row that is empty or leaves no room for an answer. In low precision, padding can change
    near ties. Not covered: more rows than fit into memory.
    """
    context, ends = context_of(model.config), stop_ids(model, tokenizer)
    for row in rows:
        check_room(len(row), context)
    drafts = [Draft(tokenizer, min(settings.max_new_tokens, context - len(row)), settings.stop, ends) for row in rows]
    return _written(decoder_of(model, rows, settings), drafts, stop, agree)


def _written(decoder: Decoder, drafts: list[Draft], stop: Event | None, agree: Callable) -> Iterator[list[Draft]]:
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
            if 0 < len(still_open) <= len(writing) // 2:
                decoder.keep(still_open)
                writing = [writing[index] for index in still_open]
        yield drafts


def generate_rows(model, tokenizer, rows, settings, **options) -> list[Answer]:
    """The finished answers to rows of ids; arguments and errors as `stream`."""
    last = deque(stream(model, tokenizer, rows, settings, **options), maxlen=1)
    return [Answer(draft.text, draft.reason) for drafts in last for draft in drafts]


def generate_batch(model, tokenizer, prompts: list[str], settings, template: str = ALPACA) -> list[Answer]:
    """The finished answers to prompts made by `format_prompt` with this template; errors as `stream`."""
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


def _text(tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
