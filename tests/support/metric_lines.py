"""Lines of `metrics.jsonl` with every field that a reader requires."""

from typing import Any


def train_line(step: int, **changes: Any) -> dict[str, Any]:
    line = dict(kind="train", step=step, epoch=step / 10, loss=2.0, learning_rate=1e-3, grad_norm=1.0, num_tokens=100)
    line |= dict(total_tokens=100 * step, tokens_per_second=100.0, seconds=1.0 * step, memory_bytes=2**30)
    return line | changes


def eval_line(step: int, **changes: Any) -> dict[str, Any]:
    return dict(kind="eval", step=step, epoch=step / 10, eval_loss=3.0) | changes
