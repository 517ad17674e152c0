"""Evaluation of a model without running its code: the form of its answers.

Answers are greedy, so that results are reproducible. They are only parsed, never executed.
"""

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from utils.evaluation.pass_at_k import Estimate, estimate
from utils.evaluation.tasks import parsed
from utils.model.generation import END_OF_TEXT, Answer, GenerationSettings, generate_batch
from utils.tokens.packing import spread
from utils.tokens.prompts import ALPACA, format_prompt

MAX_NEW_TOKENS = 256
BATCH_SIZE = 64
SIGNATURE = re.compile(r"^(?:async )?def \w+\(.*", re.DOTALL | re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def instructions(rows: Sequence[dict[str, str]], number: int) -> list[dict[str, str]]:
    """At most `number` pairs, evenly spread, that ask to write a function with a given signature."""
    return spread([row for row in rows if signature(row["instruction"])], number)


def signature(instruction: str) -> Function | None:
    """The function that an instruction asks for, from the signature at its end, with or without a docstring."""
    header = next((match[0] for match in [*SIGNATURE.finditer(instruction)][-1:]), "")
    tree = parsed(header + " pass") or parsed(header)
    return next(iter(_functions(tree)), None) if tree else None


def judge(asked: Function | None, answer: str) -> dict[str, bool]:
    """Whether an answer parses, and whether it defines the requested function with its parameters and a body."""
    tree = parsed(answer)
    named = [node for node in _functions(tree) if asked and node.name == asked.name] if tree else []
    is_asked = any(asked and _parameters(node) == _parameters(asked) and _has_body(node) for node in named)
    return {"parses": tree is not None and bool(tree.body), "is_asked": is_asked}


def answers(model, tokenizer, rows: Sequence[dict[str, str]], template: str = ALPACA) -> list[Answer]:
    """Greedy answers to the pairs' instructions, at most `MAX_NEW_TOKENS` tokens each."""
    prompts = [format_prompt(row["instruction"], row["input"], template, tokenizer) for row in rows]
    settings = GenerationSettings(max_new_tokens=MAX_NEW_TOKENS, temperature=0.0)
    return in_batches(prompts, lambda batch: generate_batch(model, tokenizer, batch, settings, template))


def follows(rows: Sequence[dict[str, str]], written: Sequence[Answer]) -> dict[str, Estimate]:
    """The shares of answers that parse, define the requested function, end with end-of-text, and are distinct."""
    verdicts = [judge(signature(row["instruction"]), answer.text) for row, answer in zip(rows, written, strict=True)]
    bodies = [_body(answer.text) for answer in written]
    return {
        "parses as Python": estimate([verdict["parses"] for verdict in verdicts]),
        "the requested function": estimate([verdict["is_asked"] for verdict in verdicts]),
        "ends with end-of-text": estimate([answer.reason == END_OF_TEXT for answer in written]),
        "distinct bodies": estimate([body not in bodies[:index] for index, body in enumerate(bodies)]),
    }


def in_batches(items: Sequence[Any], write: Callable[[list], list[Answer]]) -> list[Answer]:
    """The results of `write` for batches of similar length, in the order of the items."""
    order = sorted(range(len(items)), key=lambda index: len(items[index]))
    found: dict[int, Answer] = {}
    for start in range(0, len(order), BATCH_SIZE):
        batch = order[start : start + BATCH_SIZE]
        found |= zip(batch, write([items[index] for index in batch]), strict=True)
    return [found[index] for index in range(len(items))]


def _functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def _parameters(node: Function) -> list[str]:
    """The names of the parameters in order, with their stars."""
    args = node.args
    names = [arg.arg for arg in (*args.posonlyargs, *args.args)]
    names += [f"*{args.vararg.arg}"] if args.vararg else []
    return names + [arg.arg for arg in args.kwonlyargs] + ([f"**{args.kwarg.arg}"] if args.kwarg else [])


def _has_body(node: Function) -> bool:
    """Whether the body is more than `pass`, `...` or a docstring."""
    return any(
        not isinstance(part, ast.Pass) and not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        for part in node.body
    )


def _body(text: str) -> str:
    """An answer without its signature, to find distinct answers."""
    tree = parsed(text)
    found = _functions(tree) if tree else []
    return ast.dump(ast.Module(found[0].body, [])) if found else text
