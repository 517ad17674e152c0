"""Which size of StarCoder fits one GPU of 24, 48, 80 or 141 GB, with LoRA and without: the README's table, planned."""

from pathlib import Path

from transformers import GPTBigCodeConfig

from benchmarks.jobs import SHAPES, VOCABULARY
from utils.config import RunConfig
from utils.model.shape import config_key
from utils.planning import memory, workload

SIZES = ("164M", "1.1B", "3.0B", "7.3B", "15.5B")
CARDS = (24, 48, 80, 141)  # in GB of 10**9 bytes: a card has a little more, its driver takes some of it
KINDS = {
    "LoRA, rank 16": dict(lora_rank=16),
    "full": {},
    "full, `bfloat16_weights`, 8-bit AdamW": dict(dtype="bfloat16_weights", optim="adamw_torch_8bit"),
}


def gigabytes(size: str, tokens: int, **changes) -> float:
    layers, heads, width, positions = SHAPES[size]
    shape = GPTBigCodeConfig(
        vocab_size=VOCABULARY, n_positions=positions, n_embd=width, n_layer=layers, n_head=heads
    )  # fmt: skip
    config = RunConfig(activation_checkpointing="full", tokens_per_device=tokens, **changes)
    work = workload.count(config, Path("no tokens"), 1)
    return sum(memory.parts(config, config_key(shape), work, 1, "cuda").values()) / 1e9


def cell(size: str, **changes) -> str:
    needed = [gigabytes(size, tokens, **changes) for tokens in (1024, 2048)]
    card = next((f"{card} GB" for card in CARDS if max(needed) <= card), "none of them")
    return f"{needed[0]:.1f} to {needed[1]:.1f}: {card}"


if __name__ == "__main__":
    print(f"| model | {' | '.join(KINDS)} |\n| --- |{' --- |' * len(KINDS)}")
    for size in SIZES:
        print(f"| {size} | {' | '.join(cell(size, **changes) for changes in KINDS.values())} |")
