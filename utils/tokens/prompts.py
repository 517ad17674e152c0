"""Prompt templates and their token ids, the same in training and generation.

`alpaca` is the prompt of stanford_alpaca, byte for byte; `alpaca-newline` the common variant with a newline at the end;
`chat` the model's own chat template. Text of a pair never becomes a special token; only a chat template writes them.
"""

import json
import re
from contextlib import suppress
from functools import lru_cache

from tokenizers import Tokenizer

from utils.errors import UserError, unknown

TEMPLATES = ALPACA, ALPACA_NEWLINE, CHAT = "alpaca", "alpaca-newline", "chat"
# StarCoder2 and SmolLM2, Qwen Coder; source: Qwen2.5-Coder's example of fill-in-the-middle.
FILE_ENDS = "<file_sep>", "<|file_sep|>", "<|fim_pad|>"
PROMPT_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
PROMPT_WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)


def format_prompt(instruction: str, input: str = "", template: str = ALPACA, tokenizer=None) -> str:
    """The prompt of a pair; in `alpaca` the response follows the last `:` immediately.

    Source: `PROMPT_DICT` of tatsu-lab/stanford_alpaca. `chat` needs the tokenizer; raises `UserError` when it has no
    usable chat template. Not covered: text that imitates a heading; system text and turns, see `encode_chat`.
    """
    if template not in TEMPLATES:
        raise unknown("template", template, TEMPLATES)
    if template == CHAT:
        before, after = chat_frame(tokenizer)
        return before + user_message(instruction, input) + after
    text = PROMPT_WITH_INPUT if input else PROMPT_WITHOUT_INPUT
    return text.format(instruction=instruction, input=input) + ("\n" if template == ALPACA_NEWLINE else "")


def user_message(instruction: str, input: str = "") -> str:
    """What the user says in a chat."""
    return (f"{instruction}\n\n{input}" if input else instruction).strip()


def encode_chat(messages: list[dict[str, str]], tokenizer) -> tuple[str, list[int]]:
    """A conversation in the model's chat template up to the start of the answer: its text, and its ids.

    Each message has a `role` (system, user or assistant) and a `content`, of which nothing becomes a special token. For
    one user message the same as `format_prompt` and `encode_prompts`. Raises `UserError` for a template that leaves a
    message out or changes it, as some do with the system's.
    """
    contents = {f"zqxjk{number}kjxqz": message["content"] for number, message in enumerate(messages)}
    chat = [{"role": message["role"], "content": mark} for message, mark in zip(messages, contents, strict=True)]
    marks = re.compile("|".join(contents))
    try:
        text = tokenizer.apply_chat_template(
            chat, chat_template=_chat_template(tokenizer), add_generation_prompt=True, tokenize=False
        )
    except UserError:
        raise
    except Exception as error:  # a template is a program and may raise anything
        raise UserError(f"the chat template refuses this conversation ({error}): leave out the system text.") from error
    if marks.findall(text) != list(contents):
        raise UserError("the chat template leaves out a message: leave out the system text or the turns before.")

    def encoded(contents: dict[str, str]) -> list[int]:
        ids, place = [], 0
        for match in [*_control_pattern(tokenizer).finditer(text), None]:
            plain = marks.sub(lambda mark: contents[mark[0]], text[place : match.start() if match else None])
            ids += encode_texts([plain], tokenizer)[0] if plain else []
            ids += _encode_template(match[0], tokenizer) if match else []
            place = match.end() if match else place
        return ids

    if encoded({mark: mark for mark in contents}) != _encode_template(text, tokenizer):
        raise UserError("this tokenizer cannot split a chat at its special tokens: leave out system text and turns.")
    return marks.sub(lambda mark: contents[mark[0]], text), encoded(contents)


def encode_prompts(prompts: list[str], tokenizer, template: str = ALPACA) -> list[list[int]]:
    """The ids of prompts made by `format_prompt`; only the chat template's own special tokens are special.

    Equal to the ids of each whole prompt.
    """
    start = end = ""
    if template == CHAT:
        start, _, _, end = _chat_parts(tokenizer, _chat_template(tokenizer))
    if not all(prompt.startswith(start) and prompt.endswith(end) for prompt in prompts):
        raise UserError("a prompt does not follow this tokenizer's chat template: make it with format_prompt.")
    encoded = encode_texts([prompt[len(start) : len(prompt) - len(end)] for prompt in prompts], tokenizer)
    first, last = begin_ids(tokenizer, template) + _encode_template(start, tokenizer), _encode_template(end, tokenizer)
    return [[*first, *ids, *last] for ids in encoded]


def begin_ids(tokenizer, template: str = ALPACA) -> list[int]:
    """The ids that the tokenizer itself puts before a text, such as BOS; a chat template writes its own."""
    if template == CHAT:
        return []
    whole, plain = (tokenizer("x", add_special_tokens=has_special)["input_ids"] for has_special in (True, False))
    starts = (start for start in range(len(whole)) if whole[start : start + len(plain)] == plain)
    return whole[: next(starts, 0)]


def end_id(tokenizer, template: str = ALPACA) -> int:
    """The id that ends a response: end-of-text, or the token with which the chat template ends an answer."""
    return _chat_end(tokenizer, _chat_template(tokenizer)) if template == CHAT else tokenizer.eos_token_id


@lru_cache(maxsize=4)
def _chat_end(tokenizer, template: str) -> int:
    chat = [{"role": "user", "content": "zqxjk"}, {"role": "assistant", "content": "kjxqz"}]
    with suppress(Exception):  # a template is a program and may raise anything
        text = tokenizer.apply_chat_template(chat, chat_template=template, tokenize=False)
        if match := _control_pattern(tokenizer).search(text.rpartition("kjxqz")[2]):
            return tokenizer.convert_tokens_to_ids(match[0].strip())
    return tokenizer.eos_token_id


def stop_ids(model, tokenizer) -> frozenset[int]:
    """Every id that ends an answer: of the tokenizer, of the model's generation settings, of its chat template.

    And the tokens with which code models begin another file, where a text to complete or its middle is over.
    """
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ids = [tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])]
    with suppress(UserError, ValueError):  # no chat template
        ids.append(end_id(tokenizer, CHAT))
    ids += [token_id for token_id, token in control_tokens(tokenizer).items() if token in FILE_ENDS]
    return frozenset(token_id for token_id in ids if isinstance(token_id, int))


def control_tokens(tokenizer) -> dict[int, str]:
    """The added tokens, special or not, that text of a pair must not become; runs of white space are text."""
    added = tokenizer.added_tokens_decoder.items()
    return {token_id: token.content for token_id, token in added if token.content.strip()}


def encode_texts(texts: list[str], tokenizer) -> list[list[int]]:
    """The ids of untrusted texts: control tokens spelled out in them stay text."""
    backend = plain_backend(tokenizer)
    first, second = backend.encode_batch_fast(["x", " x"], add_special_tokens=False)
    if first.ids == second.ids:  # SentencePiece's own space before a text takes the place of the text's
        texts = [" " + text if text.startswith(" ") else text for text in texts]
    return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]


@lru_cache(maxsize=4)
def plain_backend(tokenizer):
    """A copy of the tokenizer's backend without truncation and padding that encodes control tokens as text.

    A copy, because other threads may use the original. Not covered: a tokenizer that is changed later.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    for token in state["added_tokens"]:
        token["special"] = bool(token["content"].strip())
    backend = Tokenizer.from_str(json.dumps(state))
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
    return backend


def chat_frame(tokenizer) -> tuple[str, str]:
    """The chat template's text before and after a user message, up to the start of the answer.

    Raises `UserError` when there is no template, or one that does more than put fixed text around the message.
    """
    first, before, after, last = _chat_parts(tokenizer, _chat_template(tokenizer))
    return first + before, after + last


def _chat_template(tokenizer) -> str:
    try:
        return tokenizer.get_chat_template()
    except (AttributeError, ValueError) as error:
        raise UserError(
            "the model's tokenizer has no chat template (base models mostly have none): "
            f"choose {ALPACA!r} or {ALPACA_NEWLINE!r} as the template, or a chat model."
        ) from error


@lru_cache(maxsize=4)
def _chat_parts(tokenizer, template: str) -> tuple[str, str, str, str]:
    """The template's text in four parts, cut after the last special token before the message and before the next."""
    messages = ("zqxjk", "Zqx jkv.\n\n    1 indented line")
    try:
        frames = []
        for message in messages:
            chat = [{"role": "user", "content": message}]
            text = tokenizer.apply_chat_template(
                chat, chat_template=template, add_generation_prompt=True, tokenize=False
            )
            frames.append(text.partition(message))
    except Exception as error:  # a template is a program and may raise anything
        raise UserError(f"the chat template fails ({error}): choose {ALPACA!r} as the template.") from error
    if not all(found for _, found, _ in frames) or frames[0][::2] != frames[1][::2]:
        raise UserError(f"the chat template changes the message: choose {ALPACA!r} as the template.")
    before, _, after = frames[1]
    special = _control_pattern(tokenizer)
    cuts, next_one = [match.end() for match in special.finditer(before)], special.search(after)
    first, last = (cuts or [0])[-1], next_one.start() if next_one else len(after)
    parts = before[:first], before[first:], after[:last], after[last:]
    for message in messages:
        whole = _encode_template(before + message + after, tokenizer)
        middle = encode_texts([parts[1] + message + parts[2]], tokenizer)[0]
        if whole != _encode_template(parts[0], tokenizer) + middle + _encode_template(parts[3], tokenizer):
            raise UserError(f"this tokenizer cannot split a chat at its special tokens: choose {ALPACA!r}.")
    return parts


def _control_pattern(tokenizer) -> re.Pattern:
    """Matches a control token as the tokenizer does, with the white space that some of them strip."""
    tokens = [token for token in tokenizer.added_tokens_decoder.values() if token.content.strip()]
    tokens.sort(key=lambda token: -len(token.content))
    parts = [r"\s*" * token.lstrip + re.escape(token.content) + r"\s*" * token.rstrip for token in tokens]
    return re.compile("|".join(parts) or r"(?!)")  # without special tokens nothing matches


def _encode_template(text: str, tokenizer) -> list[int]:
    """The ids of a template's own text, in which special tokens are special."""
    return tokenizer(text, add_special_tokens=False, split_special_tokens=False)["input_ids"] if text else []
