"""Diagnostics of a run from its curves: hints about settings, each with its numbers.

Thresholds are multiples of the noise measured on the same curve, and large enough to act on, so healthy runs get no
hint. The noise of one update's loss is estimated from differences between neighbours, which exclude slow trends;
medians exclude single bad batches. Not covered: pairs in a meaningful order, such as easy to hard, and a run that both
memorizes and diverges, of which only the first is reported.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.config import RunConfig
from utils.runs.metrics import eval_lines, train_lines

# The smallest change worth a hint, in nats: 2 % of perplexity, about the effect of another seed.
SMALL = 0.02
# The smallest rise: 0.1 nats or 5 % of the loss, and 7 standard errors, so that none is found in pure noise over the
# 20,000 blocks of 100,000 updates, and few in noise with heavy tails.
LARGE, LARGE_SHARE, NUM_ERRORS = 0.1, 0.05, 7
MIN_BLOCK, MIN_BLOCKS = 5, 12
MIN_EVALS = 5
MAD_TO_SIGMA = 1.4826  # standard deviation over median absolute deviation of a normal distribution


@dataclass(frozen=True)
class Hint:
    """A finding in the curves: its `kind`, and what it means, with its numbers, and what to try."""

    kind: str
    text: str


def read(records: list[dict[str, Any]], config: RunConfig) -> list[Hint]:
    """The hints for one run's metrics; none for a healthy curve or fewer than 60 updates.

    Kinds: `divergence`, `learning rate too high`, `overfitting`, `memorization`.
    """
    train, evals = train_lines(records), eval_lines(records)
    if len(train) < MIN_BLOCK * MIN_BLOCKS:
        return []
    drops = memorization(train)
    # If the loss drops at the end of each epoch, it can rise in between for the same reason.
    rise = None if drops else divergence(train) or rate_too_high(train, config)
    return [hint for hint in (rise, overfitting(train, evals), drops) if hint]


def overfitting(train: list[dict], evals: list[dict]) -> Hint | None:
    """The validation loss stays above its minimum for three evaluations or more while the training loss falls."""
    losses = _values(evals, "eval_loss")
    best = int(np.argmin(losses)) if len(losses) else 0
    if len(losses) < MIN_EVALS or len(losses) - best <= 3:
        return None
    # The median with its neighbours: the minimum of many noisy values is biased.
    low, end = float(np.median(losses[max(best - 1, 0) : best + 2])), float(np.median(losses[-3:]))
    # Deviations from the mean of the two neighbours; the untrained model is not part of the curve.
    bends = losses[2:-1] - (losses[1:-2] + losses[3:]) / 2
    noise = MAD_TO_SIGMA * float(np.median(np.abs(bends))) / 1.5**0.5
    if end - low < max(SMALL, 4 * noise) or losses[-3:].min() <= low:
        return None
    step, last = evals[best]["step"], evals[-1]["step"]
    training, steps = _values(train, "loss"), _values(train, "step")
    before, after = training[steps <= step], training[steps > step]
    size = int(np.clip(len(after) // 3, 1, 200))
    then, now = float(np.median(before[-size:])) if len(before) else np.nan, float(np.median(after[-size:]))
    if not then - now > 2 * _error(_noise(training), size):
        return None
    text = (
        f"The validation loss was lowest at step {step:,} ({losses[best]:.3f}) and rose to {end:.3f} by step {last:,}, "
        f"while the training loss fell from {then:.3f} to {now:.3f}: since then the model memorizes the training "
        f"pairs. Stop near step {step:,} (`early_stopping_patience`), or use more pairs or a lower learning rate."
    )
    return Hint("overfitting", text)


def divergence(train: list[dict]) -> Hint | None:
    """The loss rose far above its minimum and stayed there."""
    steps = _values(train, "step")
    rises = _rises(_values(train, "loss"))
    for rise in rises:
        # Large blocks miss that a short rise is over.
        if any(other.is_over and other.last - rise.first > rise.size for other in rises):
            continue
        # Still high: for a twentieth of all updates, and less than half of the rise is gone.
        is_long = rise.num_blocks >= 3 and rise.last - rise.first >= len(train) / 20
        if not rise.is_over and is_long and rise.end - rise.low > (rise.top - rise.low) / 2:
            low, first = int(steps[rise.lowest]), int(steps[rise.first])
            text = (
                f"The training loss was {rise.low:.3f} at step {low:,}, rose from step {first:,} on, and is now "
                f"{rise.end:.3f}: the run diverged. Start again with a lower learning rate (a third) or a "
                "longer warm-up, or resume from a checkpoint before that step."
            )
            return Hint("divergence", text)
    return None


def rate_too_high(train: list[dict], config: RunConfig) -> Hint | None:
    """The loss jumped early, at a large learning rate, and recovered."""
    steps, losses, rates = (_values(train, name) for name in ("step", "loss", "learning_rate"))
    rises, num_planned = _rises(losses), train[-1]["step"] * config.num_train_epochs / train[-1]["epoch"]
    early = [rise for rise in rises if rise.is_over and rise.num_blocks >= 2 and steps[rise.first] < num_planned / 3]
    # A jump at a small learning rate has another cause.
    early = [rise for rise in early if rates[rise.first] >= config.learning_rate / 2]
    if not early:
        return None
    rise, first = early[0], int(steps[early[0].first])
    text = (
        f"Near step {first:,} the training loss jumped from {rise.low:.3f} to {rise.top:.3f} and took until step "
        f"{int(steps[rise.last]):,} to recover: the updates were too large. Try a lower learning rate (a third: "
        f"{config.learning_rate / 3:.1g}) or a longer warm-up."
    )
    return Hint("learning rate too high", text)


def memorization(train: list[dict]) -> Hint | None:
    """The training loss drops at the end of each epoch, when pairs repeat, but not in between."""
    epochs, losses = _values(train, "epoch"), _values(train, "loss")
    ends = [end for end in np.unique(np.round(epochs)).tolist() if 1 <= end < epochs[-1]]
    drops = [drop for end in ends if (drop := _drop(epochs, losses, end))]
    middles = [drop for end in ends if (drop := _drop(epochs, losses, end - 0.5))]
    if not drops:
        return None
    size = float(np.mean([drop.size for drop in drops]))
    error = float(np.sqrt(np.sum([drop.error**2 for drop in drops]))) / len(drops)
    level = float(np.mean([drop.level for drop in drops]))
    # Smaller drops, below 5 % of the loss, are usual in a second epoch. Five errors: with few updates they are rough.
    if size < max(LARGE_SHARE * level, 5 * error) or size < 2 * np.mean([drop.size for drop in middles]):
        return None
    text = (
        f"The training loss drops by {size:.3f} where an epoch ends (from {level:.3f}, mean of {len(drops)}), and only "
        "slowly between: the model recognizes pairs that it has seen. Rely on the validation loss, and "
        "use fewer epochs or more pairs if it does not fall too."
    )
    return Hint("memorization", text)


@dataclass(frozen=True)
class _Rise:
    """Blocks of `size` updates whose median loss is well above the previous minimum; positions are update indices."""

    size: int
    lowest: int
    first: int
    last: int
    num_blocks: int
    low: float
    top: float
    end: float
    is_over: bool


def _rises(losses: np.ndarray) -> list[_Rise]:
    """Every rise of the loss, at block sizes from small to large."""
    found, size = [], MIN_BLOCK
    while len(losses) // size >= MIN_BLOCKS:
        found += _rises_at(losses, size)
        size *= 3
    return found


def _rises_at(losses: np.ndarray, size: int) -> list[_Rise]:
    num_blocks = len(losses) // size
    start = len(losses) - num_blocks * size
    blocks = np.median(losses[start:].reshape(num_blocks, size), axis=1).tolist()
    # The noise changes over a run: estimated per stretch of at least 50 updates, but not below that of the whole run.
    stretches = np.array_split(losses[start:], max(1, len(losses) // max(50, 10 * size)))
    noises = np.maximum(np.concatenate([np.full(len(part), _noise(part)) for part in stretches]), _noise(losses))
    found, lowest, since = [], 0, None
    for place, loss in enumerate([*blocks, None]):
        low = blocks[lowest]
        height = max(LARGE, LARGE_SHARE * low, NUM_ERRORS * _error(noises[lowest * size], size))
        # A rise ends when half of it is gone.
        if since is not None and (loss is None or loss <= low + height / 2):
            parts, (reached, end) = blocks[since:place], (start + (at + 1) * size - 1 for at in (lowest, place - 1))
            first = start + since * size
            found.append(_Rise(size, reached, first, end, len(parts), low, max(parts), parts[-1], loss is not None))
            since = None
        if loss is None:
            break
        if since is None and loss > low + height:
            since = place
        if loss < low:
            lowest = place
    return found


@dataclass(frozen=True)
class _Drop:
    """A drop of the loss at one position, its standard error, and the level before."""

    size: float
    error: float
    level: float


def _drop(epochs: np.ndarray, losses: np.ndarray, at: float) -> _Drop | None:
    """The gap between the lines fitted to the half epochs before and after; None with too few updates."""
    ends, variances = [], []
    for is_before in (True, False):
        chosen = (epochs > at - 0.5) & (epochs <= at) if is_before else (epochs > at) & (epochs <= at + 0.5)
        if chosen.sum() < MIN_BLOCK:
            return None
        terms = np.vander(epochs[chosen] - at, 2)  # the second coefficient is the value at the gap
        fit, *_ = np.linalg.lstsq(terms, losses[chosen], rcond=None)
        variance = np.sum((losses[chosen] - terms @ fit) ** 2) / (chosen.sum() - 2)
        ends.append(float(fit[1]))
        variances.append(float(variance * np.linalg.pinv(terms.T @ terms)[1, 1]))
    return _Drop(ends[0] - ends[1], sum(variances) ** 0.5, ends[0])


def _noise(losses: np.ndarray) -> float:
    """The standard deviation of one update's loss around the trend."""
    return MAD_TO_SIGMA * float(np.median(np.abs(np.diff(losses)))) / 2**0.5


def _error(noise: float, size: int) -> float:
    """The standard error of a difference between two medians of `size` losses each."""
    return noise * 1.25 * (2 / size) ** 0.5


def _values(records: list[dict], name: str) -> np.ndarray:
    return np.array([record[name] for record in records], dtype=float)
