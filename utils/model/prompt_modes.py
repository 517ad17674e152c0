"""Prompts as token ids in three modes: instruction, completion, fill in the middle."""

from dataclasses import dataclass, field

from utils.errors import UserError, unknown
from utils.model.generation import GenerationSettings, check_room
from utils.tokens.prompts import (
    ALPACA,
    CHAT,
    begin_ids,
    encode_chat,
    encode_prompts,
    encode_texts,
    format_prompt,
    user_message,
)

INSTRUCTION, COMPLETION, FILL = MODES = ("Instruction", "Completion", "Fill in the middle")
CURSOR = "<cursor>"  # where the gap is
MAX_ANSWERS = 8
# The tokens before prefix, suffix and middle, and whether the suffix may come first: StarCoder, Qwen Coder, SantaCoder.
# BigCode models learned both orders; with the suffix first, the answer directly follows the prefix.
FIM_TOKENS = (
    (("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), True),
    (("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"), False),
    (("<fim-prefix>", "<fim-suffix>", "<fim-middle>"), True),
)


@dataclass(frozen=True)
class Prompt:
    """The `ids` that the model sees, their text (`shown`), and a `note` on what was cut off."""

    ids: list[int]
    shown: str
    note: str = ""


@dataclass(frozen=True)
class Question:
    """One question to all models; raises `UserError` for an unknown mode or an invalid number of answers.

    `instruction` and `input` are for the mode Instruction, `text` is for the others. `system` and `turns`, earlier
    questions with their answers, need a chat template.
    """

    mode: str
    instruction: str = ""
    input: str = ""
    text: str = ""
    num_answers: int = 1
    template: str = ALPACA
    settings: GenerationSettings = field(default_factory=GenerationSettings)
    system: str = ""
    turns: tuple[tuple[str, str], ...] = ()

    def __post_init__(self):
        if self.mode not in MODES:
            raise unknown("mode", self.mode, MODES)
        if not 1 <= self.num_answers <= MAX_ANSWERS:
            raise UserError(f"num_answers must be between 1 and {MAX_ANSWERS} answers, got {self.num_answers!r}.")

    @property
    def around(self) -> tuple[str, str]:
        """The typed text before and after the answer, in completion and fill in the middle."""
        if self.mode == INSTRUCTION:
            return "", ""
        before, _, after = self.text.partition(CURSOR) if self.mode == FILL else (self.text, "", "")
        return before, after

    def ask(self, tokenizer, context: int) -> Prompt:
        """The prompt for a model with this tokenizer and context."""
        if self.mode == INSTRUCTION and self.template == CHAT and (self.system or self.turns):
            return chat(self, tokenizer, context)
        if self.mode == INSTRUCTION:
            return instruction(self.instruction, self.input, tokenizer, context, self.template)
        ask = completion if self.mode == COMPLETION else fill
        return ask(self.text, tokenizer, context, self.settings.max_new_tokens)


def instruction(text: str, input: str, tokenizer, context: int, template: str = ALPACA) -> Prompt:
    """The prompt exactly as in training; raises `UserError` when it is empty or too long."""
    if not text.strip():
        raise UserError("The instruction is empty: write what the model should do.")
    shown = format_prompt(text, input, template, tokenizer)
    (ids,) = encode_prompts([shown], tokenizer, template)
    check_room(len(ids), context)
    return Prompt(ids, shown)


def chat(question: Question, tokenizer, context: int) -> Prompt:
    """A question after a system text or other turns; raises `UserError` when it is too long."""
    messages = [{"role": "system", "content": question.system}] if question.system else []
    for asked, answered in question.turns:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    messages.append({"role": "user", "content": user_message(question.instruction, question.input)})
    shown, ids = encode_chat(messages, tokenizer)
    check_room(len(ids), context)
    return Prompt(ids, shown)


def completion(text: str, tokenizer, context: int, max_new_tokens: int) -> Prompt:
    """A text to complete; its beginning is cut off so that `max_new_tokens` fit."""
    begin, (ids,) = begin_ids(tokenizer), encode_texts([text], tokenizer)
    kept = ids[len(begin) - _room(context, max_new_tokens) :]
    check_room(len(kept), context)
    return Prompt(begin + kept, tokenizer.decode(kept), _cut(len(ids) - len(kept), "of its beginning"))


def fill(text: str, tokenizer, context: int, max_new_tokens: int) -> Prompt:
    """A text with a gap at its one `CURSOR`; raises `UserError` without exactly one."""
    check_gap(text)
    before, _, after = text.partition(CURSOR)
    return between(before, after, tokenizer, context, max_new_tokens)


def check_gap(text: str) -> None:
    """Raise `UserError` unless a text has exactly one `CURSOR`."""
    if text.count(CURSOR) != 1:
        raise UserError(f"Fill in the middle needs one {CURSOR} where the gap is; there are {text.count(CURSOR)}.")


def between(before: str, after: str, tokenizer, context: int, max_new_tokens: int) -> Prompt:
    """The prompt for the text between two texts, in the order that the model learned best.

    Long texts lose their far ends; each gets half of the context, more where the other is short. Raises `UserError` for
    a model without fill-in-the-middle tokens. Source: Bavarian et al. 2022, arXiv:2207.14255.
    """
    special, is_suffix_first = fim_ids(tokenizer)
    prefix, suffix = encode_texts([before, after], tokenizer)
    begin = begin_ids(tokenizer)
    room = _room(context, max_new_tokens) - len(special) - len(begin)
    num_suffix = min(len(suffix), max(room // 2, room - len(prefix)))
    num_prefix = min(len(prefix), room - num_suffix)
    cut_before, cut_after = len(prefix) - num_prefix, len(suffix) - num_suffix
    prefix, suffix = prefix[cut_before:], suffix[:num_suffix]
    if is_suffix_first:
        ids = [special[0], special[1], *suffix, special[2], *prefix]
    else:
        ids = [special[0], *prefix, special[1], *suffix, special[2]]
    notes = [_cut(cut_before, "of its beginning"), _cut(cut_after, "of its end")]
    return Prompt(begin + ids, tokenizer.decode(ids), " ".join(note for note in notes if note))


def fim_ids(tokenizer) -> tuple[list[int], bool]:
    """The ids of the tokens before prefix, suffix and middle, and whether the suffix comes first.

    Raises `UserError` for a model without them.
    """
    vocabulary = tokenizer.get_vocab()
    for tokens, is_suffix_first in FIM_TOKENS:
        if all(token in vocabulary for token in tokens):
            return [vocabulary[token] for token in tokens], is_suffix_first
    raise UserError(
        "This model has no fill-in-the-middle tokens: it was not trained for it. Use Completion, or a StarCoder model."
    )


def _room(context: int, max_new_tokens: int) -> int:
    """The maximum tokens of a prompt: at least half of the context."""
    return max(context - max_new_tokens, context // 2)


def _cut(num_tokens: int, where: str) -> str:
    return (
        f"The text is longer than the model's context: {num_tokens:,} tokens {where} were cut off."
        if num_tokens
        else ""
    )
