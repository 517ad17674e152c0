"""Learning rate schedules: warm-up, then cosine, linear, constant or warmup-stable-decay."""

import math

from utils.config import RunConfig

DECAY_SHARE = 0.25  # of the updates after warm-up, for `warmup_stable_decay`


def learning_rate(config: RunConfig, update: int, num_updates: int) -> float:
    """The learning rate of an update (from 0), as in transformers' schedules but without state."""
    warmup = config.warmup_steps if config.warmup_steps >= 1 else math.ceil(config.warmup_steps * num_updates)
    if update < warmup:
        return config.learning_rate * (update + 1) / (warmup + 1)
    if config.lr_scheduler_type == "constant":
        return config.learning_rate
    progress = (update - warmup) / max(1, num_updates - warmup)
    if config.lr_scheduler_type == "warmup_stable_decay":
        return config.learning_rate * min(1.0, (1 - progress) / DECAY_SHARE)
    if config.lr_scheduler_type == "linear":
        return config.learning_rate * (1 - progress)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
