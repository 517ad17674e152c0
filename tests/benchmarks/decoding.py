"""The decoding part of `make bench`: tokens a second of one answer, beside what the memory's bandwidth allows.

For every token all weights are read once, so the bandwidth over their bytes is a limit for one answer at a time. The
bandwidth is that of copying, read and written bytes together. Not counted: the key/value cache, small at this length.
"""

import math
import statistics
import time

import torch
from torch.utils.benchmark import Timer

from benchmarks import table
from utils.model import loading
from utils.model.generation import GenerationSettings, stream
from utils.tokens.prompts import encode_prompts

PROMPT = "def add(a, b):\n    "
NUM_TOKENS, NUM_ROUNDS = 128, 5
COPY_BYTES = {"cpu": 2**26, "cuda": 2**32}


def compare(
    name: str, num_tokens: int = NUM_TOKENS, num_rounds: int = NUM_ROUNDS, is_barred: bool = False
) -> list[list[str]]:
    """The limit, and the pace of an answer after its first token, the median over the rounds.

    With `is_barred` it is to reach 70 % of the limit.
    """
    network, tokenizer = loading.load(name)
    tokenizer.eos_token = None
    bandwidth = copy_bandwidth(network.device)
    num_bytes = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    limit = bandwidth / num_bytes
    title = f"{num_bytes / 1e9:,.1f} GB of weights at {bandwidth / 1e9:,.0f} GB/s: the most"
    rows = [[title, "beside it", f"{limit:,.1f} tokens/s", ""]]
    settings = GenerationSettings(max_new_tokens=num_tokens)
    paces = [pace(network, tokenizer, settings) for _ in range(1 + num_rounds)][1:]  # the first warms up
    found = statistics.median(paces)
    text = f"{found:,.1f} tokens/s, {found / limit:.0%} of the limit"
    rows.append([f"one answer of {num_tokens} tokens", "beside it", text, ""])
    barred = found / limit if is_barred else math.nan
    return [*rows, table.row("15.5B on a GPU", ">= 70 %", 100 * barred, 70, "{:.0f} %")]


def pace(network, tokenizer, settings: GenerationSettings) -> float:
    """Tokens a second after the first, which stands for the prompt."""
    drafts = stream(network, tokenizer, encode_prompts([PROMPT], tokenizer), settings)
    times = [time.perf_counter() for _ in drafts]
    return (len(times) - 1) / (times[-1] - times[0])


def copy_bandwidth(device: torch.device) -> float:
    source = torch.zeros(COPY_BYTES[device.type], dtype=torch.uint8, device=device)
    copies = dict(source=source, target=torch.empty_like(source))
    timer = Timer("target.copy_(source)", globals=copies, num_threads=torch.get_num_threads())
    return 2 * len(source) / min(timer.timeit(1).mean for _ in range(8))
