"""pass@k with intervals over tasks, and the paired comparison of two models on the same tasks.

pass@k of a task with n samples of which c pass is 1 - C(n-c, k) / C(n, k), the unbiased estimator of Chen et al. 2021
(arXiv:2107.03374). Intervals are 95 % percentile bootstraps over tasks (Efron 1979), since tasks differ more than
samples of one task; so are those of other shares, as of answers that parse. Not covered: samples of different settings,
and few tasks, where such intervals are too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.errors import UserError

NUM_RESAMPLES = 10_000
MIN_TASKS = 10
Z_95, Z_POWER = 1.96, 0.84  # 5 % two-sided, and 80 % power


def pass_at_k(num_samples: int, num_passed: int, k: int) -> float:
    """The probability that at least one of k samples passes; raises `UserError` for k above the number of samples."""
    if not 1 <= k <= num_samples:
        raise UserError(f"k must be between 1 and the number of samples, {num_samples}; got {k}.", field="k")
    return 1.0 - math.comb(num_samples - num_passed, k) / math.comb(num_samples, k)


@dataclass(frozen=True)
class Estimate:
    """A mean over tasks, or over answers, with its 95 % interval."""

    value: float
    low: float
    high: float
    num_tasks: int

    def __str__(self) -> str:
        if not self.num_tasks:
            return "nothing asked"
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


def estimate(values: Sequence[float], least: float = 0.0) -> Estimate:
    """The mean of one value per task between `least` and 1, such as pass@k, or a difference of two from -1."""
    array = np.asarray(values, dtype=float)  # (tasks,)
    if not len(array):
        return Estimate(math.nan, math.nan, math.nan, 0)
    if (array == array[0]).all():  # no resample differs: the exact interval of a proportion (Clopper & Pearson 1934)
        value, margin = float(array[0]), 1 - 0.025 ** (1 / len(array))
        return Estimate(value, value - margin * (value - least), value + margin * (1 - value), len(array))
    random = np.random.default_rng(0)
    drawn = array[random.integers(0, len(array), (NUM_RESAMPLES, len(array)))]  # (resamples, tasks)
    low, high = np.quantile(drawn.mean(-1), [0.025, 0.975])
    return Estimate(float(array.mean()), float(low), float(high), len(array))


@dataclass(frozen=True)
class Comparison:
    """Tuned minus base on the same tasks: the difference, and `decision`: better, worse or no difference shown."""

    difference: Estimate
    decision: str
    num_needed: int | None  # tasks for 80 % power at this difference; None where there is none

    def __str__(self) -> str:
        if not self.difference.num_tasks:
            return "There are no tasks to compare the models on."
        number, low, high = self.difference.num_tasks, self.difference.low, self.difference.high
        size = f"{100 * self.difference.value:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
        if self.decision != "no difference shown":
            return f"The tuned model is {self.decision}: {size} on {number} tasks."
        needed = f" {self.num_needed:,} tasks would be needed to show one of this size." if self.num_needed else ""
        return f"No difference shown with these {number} tasks: {size}.{needed}"


def compare(base: Sequence[float], tuned: Sequence[float]) -> Comparison:
    """The paired comparison of two values per task; the interval of the difference decides."""
    differences = np.asarray(tuned, dtype=float) - np.asarray(base, dtype=float)
    found = estimate(differences, least=-1.0)
    decision = "better" if found.low > 0 else "worse" if found.high < 0 else "no difference shown"
    if len(differences) < MIN_TASKS:  # a bootstrap of so few is too sure of itself
        decision = "no difference shown"
    needed = None
    if len(differences) > 1 and found.value:
        needed = math.ceil(((Z_95 + Z_POWER) * differences.std(ddof=1) / found.value) ** 2)
    return Comparison(found, decision, max(needed, len(differences) + 1) if needed else None)
