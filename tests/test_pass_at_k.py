"""pass@k and its intervals against closed forms and simulated models."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import UserError
from utils.evaluation.pass_at_k import compare, estimate, pass_at_k


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=9), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_pass(passed, data):
    k = data.draw(st.integers(1, len(passed)))
    subsets = [any(subset) for subset in combinations(passed, k)]
    assert pass_at_k(len(passed), sum(passed), k) == pytest.approx(sum(subsets) / len(subsets))


@pytest.mark.parametrize("k", [0, 6, -1])
def test_a_k_beyond_the_samples_is_refused(k):
    with pytest.raises(UserError, match=f"k must be between 1 and the number of samples, 5; got {k}"):
        pass_at_k(5, 2, k)


def test_the_interval_is_near_the_normal_one_and_covers_the_truth():
    random = np.random.default_rng(1)
    values = (random.random(400) < 0.3).astype(float)
    found, error = estimate(values), 1.96 * values.std() / math.sqrt(len(values))
    assert found.value == values.mean() and found.num_tasks == 400
    assert (found.low, found.high) == pytest.approx((found.value - error, found.value + error), abs=0.006)
    covered = [(one := estimate(random.random(100) < 0.5)).low <= 0.5 <= one.high for _ in range(200)]
    assert sum(covered) >= 180  # 190 expected
    none = estimate([0.0] * 24)  # as Clopper and Pearson have it
    assert (none.low, none.high) == pytest.approx((0.0, 1 - 0.025 ** (1 / 24)))
    assert math.isnan(estimate([]).value)


def test_equal_models_are_rarely_called_better_and_better_ones_are():
    random, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        rates = random.beta(0.5, 0.5, 164)
        wrong += compare(random.random(164) < rates, random.random(164) < rates).decision == "better"
    assert wrong <= 10
    better = compare([0] * 50, [1] * 10 + [0] * 40)
    assert (better.decision, compare([1] * 10 + [0] * 40, [0] * 50).decision) == ("better", "worse")
    assert "The tuned model is better: +20.0 points (+10.0 to" in str(better)
    assert compare([0] * 9, [1] * 9).decision == "no difference shown"  # so few decide nothing
    unsure = compare([0, 1] * 50, [1, 0] * 48 + [1, 1] * 2)
    assert unsure.decision == "no difference shown" and f"{unsure.num_needed:,} tasks would be needed" in str(unsure)
