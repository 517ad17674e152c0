"""Hints on synthetic curves: each kind is found at several lengths and noises, healthy curves get none.

The noise is relative to the loss.
"""

import re
from collections.abc import Callable

import numpy as np
import pytest

from utils.config import RunConfig
from utils.runs import diagnostics
from utils.training.schedule import learning_rate

Curve = Callable[[np.ndarray], np.ndarray]


def power_law(end=1.0, gain=1.5, scale=0.03, exponent=0.6) -> Curve:
    """A loss over the share of the run, from 0 to 1, that falls quickly and then slowly."""
    return lambda share: end + gain * (1 + share / scale) ** -exponent


HEALTHY = power_law()


def a_run(loss: Curve, num_updates=300, noise=0.03, seed=0, **options) -> tuple[list[dict], RunConfig]:
    known = dict(epochs=1, validation=loss, eval_noise=0.003, schedule="cosine", tails=np.inf)
    epochs, validation, eval_noise, schedule, tails = (known | options).values()
    config = RunConfig.from_preset("tiny", num_train_epochs=float(epochs), lr_scheduler_type=schedule)
    random, share = np.random.default_rng(seed), np.arange(1, num_updates + 1) / num_updates
    scatter = random.normal(size=num_updates) if np.isinf(tails) else random.standard_t(tails, num_updates) / 2**0.5
    records = [
        {"kind": "train", "step": step, "epoch": step / num_updates * epochs, "loss": float(value)}
        | {"learning_rate": learning_rate(config, step - 1, num_updates)}
        for step, value in enumerate(loss(share) * (1 + noise * scatter), start=1)
    ]
    for step in np.linspace(0, num_updates, 16).astype(int).tolist():
        value = validation(np.array([step / num_updates]))[0] + 0.1 + eval_noise * random.normal()
        place = {"step": step, "epoch": step / num_updates * epochs}
        records.append({"kind": "eval", "eval_loss": float(value)} | place)
    return records, config


def kinds(*arguments, **options) -> set[str]:
    return {hint.kind for hint in diagnostics.read(*a_run(*arguments, **options))}


def stairs(curve: Curve, height: float, epochs: int = 3) -> Curve:
    return lambda share: curve(share) * (1 - height * np.ceil(share * epochs - 1e-9).clip(1, epochs) + height)


def rising_validation(share):
    return HEALTHY(share) + 0.35 * (share - 0.4).clip(0)


def diverged(share):
    return HEALTHY(share) + 2.5 / (1 + np.exp(-((share - 0.6) / 0.02).clip(-50, 50)))


def jumped(share):
    return HEALTHY(share) + 1.5 * (share > 0.12) * np.exp(-(share - 0.12).clip(0) / 0.12)


def swinging(share):
    return HEALTHY(share) + 0.9 * (share > 0.15) * np.sin(8 * np.pi * share) ** 2


LENGTHS, NOISES = (60, 300, 2000, 10_000), (0.01, 0.03, 0.06)
KNOWN = {
    "overfitting": ("overfitting", dict(loss=power_law(0.8), validation=rising_validation, epochs=3), LENGTHS, NOISES),
    "divergence": ("divergence", dict(loss=diverged), LENGTHS, NOISES),
    "memorization": (
        "memorization",
        dict(loss=stairs(HEALTHY, 0.2), validation=HEALTHY, epochs=3),
        LENGTHS,
        NOISES[:2],
    ),
    "jump": ("learning rate too high", dict(loss=jumped), LENGTHS[1:], NOISES),
    "swings": ("learning rate too high", dict(loss=swinging), LENGTHS[1:], NOISES),
}


@pytest.mark.parametrize("num_updates", LENGTHS)
@pytest.mark.parametrize("name", KNOWN)
def test_each_kind_is_found_and_no_other(name, num_updates):
    kind, options, lengths, noises = KNOWN[name]
    if num_updates in lengths:
        for noise in noises:
            assert kinds(num_updates=num_updates, noise=noise, seed=1, **options) == {kind}, noise


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant", "warmup_stable_decay"])
def test_healthy_runs_get_no_hint(schedule):
    """120 runs each: many shapes, lengths and noises, heavy tails, small drops at epoch ends, unsteady evaluations."""
    for seed in range(60):
        random = np.random.default_rng(seed)
        curve = power_law(*random.uniform((0.3, 0.2), (3, 6)), 10 ** random.uniform(-2.3, -1), random.uniform(0.4, 1))
        options = dict(
            num_updates=int(random.choice([60, 200, 1000])), noise=random.choice([0.01, 0.05, 0.1]), seed=seed
        )
        options |= dict(tails=random.choice([4, np.inf]), eval_noise=random.choice([0.002, 0.01, 0.03]))
        assert kinds(curve, schedule=schedule, **options) == set(), seed
        mild = stairs(curve, random.uniform(0, 0.025))
        assert kinds(mild, schedule=schedule, validation=curve, epochs=3, **options) == set(), seed


def test_a_hint_says_where_and_what_to_try():
    (hint,) = diagnostics.read(*a_run(power_law(0.8), epochs=3, validation=rising_validation))
    best, end = re.search(r"lowest at step (\d+) .* rose to ([\d.]+) by", hint.text).groups()
    assert 100 <= int(best) <= 160
    assert float(end) == pytest.approx(rising_validation(np.array([0.95]))[0] + 0.1, abs=0.03)
    assert "early_stopping_patience" in hint.text
    (hint,) = diagnostics.read(*a_run(diverged, num_updates=1000))
    assert 550 < int(re.search(r"rose from step (\d+) on", hint.text)[1]) < 650 and "lower learning rate" in hint.text


def test_drops_and_oscillations_are_distinguished():
    def saw(share):
        """In each epoch the loss rises, and at its end it drops: the epochs cause the changes."""
        return 2.5 + 0.5 * ((share * 6 - 1e-9) % 1) - 0.25 * np.ceil(share * 6 - 1e-9)

    assert kinds(saw, num_updates=600, noise=0.01, epochs=6, validation=HEALTHY) == {"memorization"}
    # Swings that fall in the middle of an epoch as they do at its end.
    swings = kinds(lambda share: HEALTHY(share) + 0.6 * ((share * 6 - 1e-9) % 1), 1200, 0.01, epochs=3)
    assert "memorization" not in swings


def test_spikes_and_short_and_unfinished_runs_are_left_alone():
    records, config = a_run(HEALTHY)
    for step in (30, 31, 90, 150, 210, 298, 299):
        records[step]["loss"] *= 3
    assert diagnostics.read(records, config) == []
    assert diagnostics.read([], config) == [] and diagnostics.read(records[:59], config) == []
