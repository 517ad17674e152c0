"""What a run's curves say about its settings: hints, each with the numbers it rests on.

A hint is given only where the curve leaves a margin, so that a healthy run gets none: every threshold is a multiple
of the noise measured on the same curve, and at least a change worth acting on. The noise of one update's loss is taken
from the differences between neighbours, which a slow trend does not reach; medians keep single bad batches out. Not
covered: pairs in an order of their own, such as from easy to hard, which looks like the course of training; and a
run that memorises and diverges as well, of which only the first is told.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.config import RunConfig
from utils.runs.metrics import eval_lines, train_lines

# The least change worth a hint, in nats: 2 % of perplexity, about what another seed changes.
SMALL = 0.02
# A rise counts from 0.1 nats (a tenth of perplexity) or 5 % of the loss on, and from 7 standard errors: as much does
# not happen by chance among the 20,000 blocks of 100,000 updates, and seldom where the noise has heavy tails.
LARGE, LARGE_SHARE, NUM_ERRORS = 0.1, 0.05, 7
MIN_BLOCK, MIN_BLOCKS = 5, 12
MIN_EVALS = 5
MAD_TO_SIGMA = 1.4826  # the standard deviation of a normal distribution, of its median absolute deviation


@dataclass(frozen=True)
class Hint:
    """Something seen in the curves: its `kind`, plain sentences on what it is and what to try, and its numbers."""

    kind: str
    text: str
    evidence: dict[str, float]


def read(records: list[dict[str, Any]], config: RunConfig) -> list[Hint]:
    """The hints for one run's metrics; none for a curve that gives no reason, or is too short to tell (60 updates).

    Kinds: `divergence`, `learning rate too high`, `learning rate too low`, `overfitting`, `memorising`.
    """
    train, evals = train_lines(records), eval_lines(records)
    if len(train) < MIN_BLOCK * MIN_BLOCKS:
        return []
    steps = memorising(train)
    # Where the loss drops at every epoch's end, it can rise between for the same reason.
    rise = None if steps else divergence(train) or rate_too_high(train, config)
    found = [rise, overfitting(train, evals), steps, None if rise else rate_too_low(train, evals, config)]
    return [hint for hint in found if hint]


def overfitting(train: list[dict], evals: list[dict]) -> Hint | None:
    """Validation stays above its lowest for three evaluations or more, while the training loss goes on falling."""
    losses = _values(evals, "eval_loss")
    best = int(np.argmin(losses)) if len(losses) else 0
    if len(losses) < MIN_EVALS or len(losses) - best <= 3:
        return None
    # The neighbours' median: of many noisy values the lowest one is low by chance.
    low, end = float(np.median(losses[max(best - 1, 0) : best + 2])), float(np.median(losses[-3:]))
    # What an evaluation differs from the line between its neighbours by; the untrained model is no part of the curve.
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
        f"while the training loss fell from {then:.3f} to {now:.3f}: since then the model learns the training pairs "
        f"by heart. Stop near step {step:,} (`early_stopping_patience`), or use more pairs or a lower learning rate."
    )
    evidence = {"best step": step, "lowest validation loss": float(losses[best]), "validation loss at the end": end}
    return Hint("overfitting", text, evidence | {"training loss then": then, "training loss at the end": now})


def divergence(train: list[dict]) -> Hint | None:
    """The loss left its lowest level by much and did not come back."""
    steps = _values(train, "step")
    rises = _rises(_values(train, "loss"))
    for rise in rises:
        # Large blocks miss a swing that small ones see come down again.
        if any(other.is_over and other.last - rise.first > rise.size for other in rises):
            continue
        # It stays: for a twentieth of all updates, as a spike of the last moment may pass, and is not half down again.
        is_long = rise.num_blocks >= 3 and rise.last - rise.first >= len(train) / 20
        if not rise.is_over and is_long and rise.end - rise.low > (rise.top - rise.low) / 2:
            low, first = int(steps[rise.lowest]), int(steps[rise.first])
            text = (
                f"The training loss was down at {rise.low:.3f} by step {low:,}, rose from step {first:,} on, and "
                f"stands at {rise.end:.3f}: the run diverged. Begin again with a lower learning rate (a third) or a "
                "longer warm-up, or go on from a checkpoint before that step."
            )
            evidence = {"step of the rise": first, "loss before": rise.low, "loss at the end": rise.end}
            return Hint("divergence", text, evidence)
    return None


def rate_too_high(train: list[dict], config: RunConfig) -> Hint | None:
    """The loss jumped up early and recovered, swings by more than its noise, or gradients grow without gain."""
    steps, losses, rates = (_values(train, name) for name in ("step", "loss", "learning_rate"))
    advice = f"Try a lower learning rate (a third: {config.learning_rate / 3:.1g}) or a longer warm-up."
    rises, num_planned = _rises(losses), train[-1]["step"] * config.num_train_epochs / train[-1]["epoch"]
    early = [rise for rise in rises if rise.is_over and rise.num_blocks >= 2 and steps[rise.first] < num_planned / 3]
    # A jump while the learning rate is still small has another cause.
    early = [rise for rise in early if rates[rise.first] >= config.learning_rate / 2]
    if early:
        rise, first = early[0], int(steps[early[0].first])
        text = (
            f"Near step {first:,} the training loss jumped from {rise.low:.3f} to {rise.top:.3f} and took until step "
        )
        text += f"{int(steps[rise.last]):,} to come down again: the updates were too large. {advice}"
        evidence = {"step of the jump": first, "loss before": rise.low, "loss after": rise.top}
        return Hint("learning rate too high", text, evidence)
    for size in sorted({rise.size for rise in rises}):
        swings = [rise for rise in rises if rise.size == size]
        if len(swings) >= 3:
            height, noise = float(np.median([rise.top - rise.low for rise in swings])), _noise(losses)
            text = f"The training loss swings: it rose {len(swings)} times by about {height:.3f}, averaged over {size} "
            text += f"updates, though from one update to the next it scatters by {noise:.3f} only. {advice}"
            evidence = {"number of rises": len(swings), "height": height, "noise of an update": noise}
            return Hint("learning rate too high", text, evidence)
    return _growing_gradients(train, advice)


def _growing_gradients(train: list[dict], advice: str) -> Hint | None:
    """The gradient norm became four times as large, and the loss is no lower for it; up to twice is common."""
    norms, losses = _values(train, "grad_norm"), _values(train, "loss")
    parts = np.array_split(np.arange(len(train)), 10)[1:]  # the first tenth has the warm-up in it
    medians = np.array([np.median(norms[part]) for part in parts])
    low, size = int(np.argmin(medians)), len(parts[0])
    if not medians[-1] > 4 * medians[low]:
        return None
    doubled = low + int(np.argmax(medians[low:] > 2 * medians[low]))
    then, now = (float(np.median(losses[parts[place]])) for place in (doubled, -1))
    if then - now > 2 * _error(_noise(losses), size):
        return None
    step = train[parts[low][-1]]["step"]
    text = (
        f"The gradient norm grew from {medians[low]:.3g} near step {step:,} to {medians[-1]:.3g} at the end, and since "
        f"it doubled the training loss has not fallen ({then:.3f}, now {now:.3f}): training is unstable. {advice}"
    )
    evidence = {"gradient norm then": float(medians[low]), "gradient norm at the end": float(medians[-1])}
    return Hint("learning rate too high", text, evidence | {"loss then": then, "loss at the end": now})


def memorising(train: list[dict]) -> Hint | None:
    """The training loss drops where an epoch ends and the pairs come again, and not so between."""
    epochs, losses = _values(train, "epoch"), _values(train, "loss")
    ends = range(1, int(np.ceil(epochs[-1])))
    drops = [drop for end in ends if (drop := _drop(epochs, losses, end))]
    middles = [drop for end in ends if (drop := _drop(epochs, losses, end - 0.5))]
    if not drops:
        return None
    size = float(np.mean([drop.size for drop in drops]))
    error = float(np.sqrt(np.sum([drop.error**2 for drop in drops]))) / len(drops)
    level = float(np.mean([drop.level for drop in drops]))
    # Below 5 % of the loss a step is what every second pass shows. Five errors, as few updates tell their own badly.
    if size < max(LARGE_SHARE * level, 5 * error) or size < 2 * np.mean([drop.size for drop in middles]):
        return None
    text = (
        f"The training loss drops by {size:.3f} where an epoch ends (from {level:.3f}, mean of {len(drops)}), and only "
        "slowly between: the model recognises pairs that it has seen. Trust the validation loss alone, and "
        "use fewer epochs or more pairs if that does not fall as well."
    )
    return Hint("memorising", text, {"drop": size, "its standard error": error, "loss before": level})


def rate_too_low(train: list[dict], evals: list[dict], config: RunConfig) -> Hint | None:
    """A finished run whose loss fell all the time at one pace, as small steps far from any goal do.

    The pace is that per learning rate, so that the schedule's shape does not matter. Only updates at half the peak rate
    or more are looked at: as the rate falls to 0, the loss falls once more in runs of any rate.
    """
    if train[-1]["epoch"] < 0.99 * config.num_train_epochs:
        return None
    steps, rates = _values(train, "step"), _values(train, "learning_rate")
    high = steps[rates >= rates.max() / 2]
    # Evaluations are always on the same pairs and scatter far less, if there are enough of them.
    lines = [line for line in evals if high[0] - 1 <= line["step"] <= high[-1]]
    name = "eval_loss" if len(lines) >= MIN_EVALS + 1 else "loss"
    lines = lines if name == "eval_loss" else [line for line in train if high[0] <= line["step"] <= high[-1]]
    losses, travelled = _values(lines, name), np.interp(_values(lines, "step"), steps, np.cumsum(rates))
    u = 2 * (travelled - travelled[0]) / ((travelled[-1] - travelled[0]) or 1) - 1
    terms = np.vander(u, 3, increasing=True)  # 1, u, u²
    fit, *_ = np.linalg.lstsq(terms, losses, rcond=None)
    covariance = np.linalg.pinv(terms.T @ terms) * np.sum((losses - terms @ fit) ** 2) / max(1, len(losses) - 3)
    start, end, fall = np.array([0, -1, 2]), np.array([0, -1, -2]), np.array([0, -2, 0])
    excess = end - 0.5 * start  # above 0: at the end more than half as steep as at the start
    errors = [float(np.sqrt(weights @ covariance @ weights)) for weights in (fall, excess)]
    if fall @ fit < max(SMALL, 4 * errors[0]) or excess @ fit < max(2 * errors[1], 0) or start @ fit <= 0:
        return None
    what, ratio = "validation" if name == "eval_loss" else "training", float(end @ fit / (start @ fit))
    first, last = float(terms[0] @ fit), float(terms[-1] @ fit)
    text = (
        f"The {what} loss fell evenly, from {first:.3f} at step {lines[0]['step']:,} to {last:.3f} at step "
        f"{lines[-1]['step']:,}, and was at the end {ratio:.1f} times as steep as at the start, for the same learning "
        f"rate: the run ended far from what it can reach. Try a higher learning rate (three times: "
        f"{config.learning_rate * 3:.1g}), or more epochs."
    )
    evidence = {"loss at the start": first, "loss at the end": last, "steepness, end to start": ratio}
    return Hint("learning rate too low", text, evidence)


@dataclass(frozen=True)
class _Rise:
    """Blocks of `size` updates with a median loss well above the lowest before them; places are indices of updates."""

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
    """Every rise of the loss at several scales, small blocks first: long runs show slow ones, all runs quick ones."""
    found, size = [], MIN_BLOCK
    while len(losses) // size >= MIN_BLOCKS:
        found += _rises_at(losses, size)
        size *= 3
    return found


def _rises_at(losses: np.ndarray, size: int) -> list[_Rise]:
    num_blocks = len(losses) // size
    start = len(losses) - num_blocks * size
    blocks = np.median(losses[start:].reshape(num_blocks, size), axis=1).tolist()
    # The noise changes over a run: each stretch of 50 updates or more has its own, but none less than the whole has.
    stretches = np.array_split(losses[start:], max(1, len(losses) // max(50, 10 * size)))
    noises = np.maximum(np.concatenate([np.full(len(part), _noise(part)) for part in stretches]), _noise(losses))
    found, lowest, since = [], 0, None
    for place, loss in enumerate([*blocks, None]):
        low = blocks[lowest]
        height = max(LARGE, LARGE_SHARE * low, NUM_ERRORS * _error(noises[lowest * size], size))
        # A rise is over when half of it is gone.
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
    """How far the loss falls at one place, with the standard error, from the level just before."""

    size: float
    error: float
    level: float


def _drop(epochs: np.ndarray, losses: np.ndarray, at: float) -> _Drop | None:
    """The gap at an epoch between lines through the half epoch before and the half after; None with too few updates."""
    ends, variances = [], []
    for is_before in (True, False):
        chosen = (epochs > at - 0.5) & (epochs <= at) if is_before else (epochs > at) & (epochs <= at + 0.5)
        if chosen.sum() < MIN_BLOCK:
            return None
        terms = np.vander(epochs[chosen] - at, 2)  # the second of a line's terms is its value at the gap
        fit, *_ = np.linalg.lstsq(terms, losses[chosen], rcond=None)
        variance = np.sum((losses[chosen] - terms @ fit) ** 2) / (chosen.sum() - 2)
        ends.append(float(fit[1]))
        variances.append(float(variance * np.linalg.inv(terms.T @ terms)[1, 1]))
    return _Drop(ends[0] - ends[1], sum(variances) ** 0.5, ends[0])


def _noise(losses: np.ndarray) -> float:
    """The standard deviation of one update's loss around the trend."""
    return MAD_TO_SIGMA * float(np.median(np.abs(np.diff(losses)))) / 2**0.5


def _error(noise: float, size: int) -> float:
    """The standard error of a difference between two medians of `size` losses each."""
    return noise * 1.25 * (2 / size) ** 0.5


def _values(records: list[dict], name: str) -> np.ndarray:
    return np.array([record[name] for record in records], dtype=float)
