"""What a person asks of a code model, as a row of ids: an instruction, the start of a text, or a text with a gap."""

from dataclasses import dataclass, field

from utils.errors import UserError, unknown
from utils.model.generation import GenerationSettings, check_room
from utils.tokens.prompts import ALPACA, encode_prompts, encode_texts, format_prompt

INSTRUCTION, COMPLETION, FILL = MODES = ("Instruction", "Completion", "Fill in the middle")
CURSOR = "<cursor>"  # where the gap is
MAX_ANSWERS = 8
# The special tokens before prefix, suffix and middle, and whether the suffix may come first: StarCoder's, those of
# Qwen's coders, and SantaCoder's. BigCode's learned both orders; with the suffix first, the answer follows the prefix.
FIM_TOKENS = (
    (("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), True),
    (("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"), False),
    (("<fim-prefix>", "<fim-suffix>", "<fim-middle>"), True),
)


@dataclass(frozen=True)
class Asked:
    """A prompt: the `ids` the model sees, the text of them (`shown`), what was cut off (`note`)."""

    ids: list[int]
    shown: str
    note: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked of every model alike; raises `UserError` for a mode or a number that cannot be.

    `instruction` and `input` belong to the mode Instruction, `text` to the others.
    """

    mode: str
    instruction: str = ""
    input: str = ""
    text: str = ""
    num_answers: int = 1
    template: str = ALPACA
    settings: GenerationSettings = field(default_factory=GenerationSettings)

    def __post_init__(self):
        if self.mode not in MODES:
            raise unknown("mode", self.mode, MODES)
        if not 1 <= self.num_answers <= MAX_ANSWERS:
            raise UserError(f"num_answers must be between 1 and {MAX_ANSWERS} answers, got {self.num_answers!r}.")

    @property
    def around(self) -> tuple[str, str]:
        """What stands before and after the answer: with it, the text that was typed, gone on with or its gap filled."""
        if self.mode == INSTRUCTION:
            return "", ""
        before, _, after = self.text.partition(CURSOR) if self.mode == FILL else (self.text, "", "")
        return before, after

    def ask(self, tokenizer, context: int) -> Asked:
        """The question as the model with this tokenizer and context is asked it."""
        if self.mode == INSTRUCTION:
            return instruction(self.instruction, self.input, tokenizer, context, self.template)
        ask = completion if self.mode == COMPLETION else fill
        return ask(self.text, tokenizer, context, self.settings.max_new_tokens)


def instruction(text: str, input: str, tokenizer, context: int, template: str = ALPACA) -> Asked:
    """The prompt exactly as in training; raises `UserError` when it is empty or too long, for it cannot be cut."""
    if not text.strip():
        raise UserError("The instruction is empty: write what the model shall do.")
    shown = format_prompt(text, input, template, tokenizer)
    (ids,) = encode_prompts([shown], tokenizer, template)
    check_room(len(ids), context)
    return Asked(ids, shown)


def completion(text: str, tokenizer, context: int, max_new_tokens: int) -> Asked:
    """A text to go on with. One that is too long loses its beginning, so that `max_new_tokens` fit behind it."""
    (ids,) = encode_texts([text], tokenizer)
    kept = ids[-_room(context, max_new_tokens) :]
    check_room(len(kept), context)
    return Asked(kept, tokenizer.decode(kept), _cut(len(ids) - len(kept), "of its beginning"))


def fill(text: str, tokenizer, context: int, max_new_tokens: int) -> Asked:
    """A text with one `CURSOR` in it: what belongs there is asked for; raises `UserError` without exactly one."""
    if text.count(CURSOR) != 1:
        raise UserError(f"Fill in the middle needs one {CURSOR} where the gap is; there are {text.count(CURSOR)}.")
    before, _, after = text.partition(CURSOR)
    return between(before, after, tokenizer, context, max_new_tokens)


def between(before: str, after: str, tokenizer, context: int, max_new_tokens: int) -> Asked:
    """What stands between two texts is asked for, in the order that the model has learned best.

    Texts that are too long lose their far ends: each has half of the room, more where the other is short. Raises
    `UserError` for a model that has no tokens for it. Source: Bavarian et al. 2022, arXiv:2207.14255.
    """
    special, is_suffix_first = fim_ids(tokenizer)
    prefix, suffix = encode_texts([before, after], tokenizer)
    room = _room(context, max_new_tokens) - len(special)
    num_suffix = min(len(suffix), max(room // 2, room - len(prefix)))
    num_prefix = min(len(prefix), room - num_suffix)
    cut_before, cut_after = len(prefix) - num_prefix, len(suffix) - num_suffix
    prefix, suffix = prefix[cut_before:], suffix[:num_suffix]
    if is_suffix_first:
        ids = [special[0], special[1], *suffix, special[2], *prefix]
    else:
        ids = [special[0], *prefix, special[1], *suffix, special[2]]
    notes = [_cut(cut_before, "of its beginning"), _cut(cut_after, "of its end")]
    return Asked(ids, tokenizer.decode(ids), " ".join(note for note in notes if note))


def fim_ids(tokenizer) -> tuple[list[int], bool]:
    """The ids of the tokens before prefix, suffix and middle, and whether the suffix comes first.

    Raises `UserError` for a model without them.
    """
    vocabulary = tokenizer.get_vocab()
    for tokens, is_suffix_first in FIM_TOKENS:
        if all(token in vocabulary for token in tokens):
            return [vocabulary[token] for token in tokens], is_suffix_first
    raise UserError(
        "This model has no tokens for fill-in-the-middle: it was not trained for it. Use Completion, or a model of the "
        "StarCoder family."
    )


def _room(context: int, max_new_tokens: int) -> int:
    """How many tokens a prompt may have: half of the context stays for it, however long the answer may become."""
    return max(context - max_new_tokens, context // 2)


def _cut(num_tokens: int, where: str) -> str:
    return (
        f"The text is longer than the model's context: {num_tokens:,} tokens {where} were cut off."
        if num_tokens
        else ""
    )
