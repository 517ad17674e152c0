"""The playground part of `make bench`: what streaming costs, and what one batch gains.

The contestants take turns in one process, so that a machine that is busy for a while is so for all of them: ratios are
those of one round, and every figure is the median over the rounds. No answer ends before its limit: end-of-text is a
token like any other here. Not covered: what the page itself costs, which is drawn in another thread.
"""

import statistics
import time
from collections.abc import Callable, Sequence

import torch

from benchmarks import table
from utils.config import EMBEDDED
from utils.model import loading
from utils.model.generation import GenerationSettings, stream
from utils.tokens.prompts import encode_prompts

PROMPTS = ["def add(a, b):\n    ", "class Stack:\n    "]
NUM_TOKENS, NUM_ROUNDS = 128, 7


def compare(name: str = EMBEDDED, num_tokens: int = NUM_TOKENS, num_rounds: int = NUM_ROUNDS) -> list[list[str]]:
    network, tokenizer = loading.load(name)
    tokenizer.eos_token = None
    rows = encode_prompts(PROMPTS, tokenizer)
    print(f"playground: {name} on {network.device}, {torch.get_num_threads()} torch threads", flush=True)
    settings = GenerationSettings(max_new_tokens=num_tokens)
    contestants = {
        "generate": lambda: generated(network, rows[0], num_tokens),
        "streamed": lambda: streamed(network, tokenizer, rows[:1], settings),
        "one batch": lambda: streamed(network, tokenizer, rows, settings),
        "one by one": lambda: [streamed(network, tokenizer, [row], settings) for row in rows],
        "first token": lambda: next(stream(network, tokenizer, rows[:1], settings)),
    }
    for contestant in contestants.values():
        contestant()  # warms up
    rounds = [{name: seconds(run) for name, run in contestants.items()} for _ in range(num_rounds)]

    def median(measure: Callable[[dict[str, float]], float]) -> float:
        return statistics.median(measure(one) for one in rounds)

    row = table.row
    cost = median(lambda one: 100 * (one["streamed"] / one["generate"] - 1))
    gain = median(lambda one: one["one by one"] / one["one batch"])
    rate = median(lambda one: num_tokens / one["streamed"])
    return [
        row(f"one answer streamed, slower than `generate`, {num_tokens} tokens", "<= 5 %", cost, -5, "{:.1f} %"),
        row("two answers in one batch against one after the other", ">= 1.5x", gain, 1.5, "{:.2f}x"),
        row("one answer, streamed", ">= 60 tokens/s", rate, 60, "{:.0f} tokens/s"),
        ["… its first token", "beside it", f"{median(lambda one: one['first token']):.3f} s", ""],
    ]


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def streamed(network, tokenizer, rows: Sequence[list[int]], settings) -> list[list[int]]:
    """The ids of the answers, each draft's text and pace taken at every token, as the playground does."""
    start = time.monotonic()
    for drafts in stream(network, tokenizer, rows, settings):
        for draft in drafts:
            f"{draft.text} {draft.num_tokens / (time.monotonic() - start):.0f} tokens/s"
    return [draft.ids for draft in drafts]


def generated(network, row: list[int], num_tokens: int) -> list[int]:
    ids = torch.tensor([row], device=network.device)
    # An end-of-text that no token is: without one `generate` takes that of the model.
    options = dict(do_sample=False, max_new_tokens=num_tokens, eos_token_id=network.config.vocab_size, pad_token_id=0)
    return network.generate(ids, attention_mask=torch.ones_like(ids), **options)[0, len(row) :].tolist()
