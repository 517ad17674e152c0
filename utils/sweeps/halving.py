"""Successive halving (Jamieson and Talwalkar 2016): which runs of a sweep to train further; pure functions.

Runs are compared at a quarter and at half of their updates. Each time the better half continues, and with it every run
whose loss is less than `MARGIN` higher, which may be chance; the others are paused and can be resumed. The decisions
follow from the losses recorded so far, so that nothing else has to be kept: a run that is added later is compared where
the others were. Not covered: losses whose order changes later, as those of a high learning rate that decays do.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

SHARES = (1 / 4, 1 / 2)  # of the updates of a run, where runs are compared
MARGIN = 0.01  # of the loss: "clearly worse" is more than this


@dataclass(frozen=True)
class Progress:
    """What is known of a run: `losses` are validation losses by step, of which each `group` has comparable ones."""

    number: int
    group: Hashable
    num_updates: int
    eval_steps: int
    losses: dict[int, float]
    state: str = "waiting"  # or running, finished, failed; stopping, stopped and removed, by a person

    @property
    def has_ended(self) -> bool:
        return self.state in ("finished", "failed")

    def loss_at(self, step: int) -> float:
        """The newest loss up to a step; a failed run is the worst."""
        known = [at for at in self.losses if at <= step]
        return self.losses[max(known)] if known and self.state != "failed" else math.inf


def comparison_steps(num_updates: int, eval_steps: int) -> list[int]:
    """The steps with an evaluation that are nearest to `SHARES` of the updates; none where evaluations are too rare."""
    steps = [max(1, round(share * num_updates / eval_steps)) * eval_steps for share in SHARES]
    return sorted({step for step in steps if step < num_updates})


def unfinished(runs: Iterable[Progress], is_halving: bool = True) -> list[int]:
    """The numbers of the runs to train further now, in order; with `is_halving`, of each group until it is decided."""
    return [run.number for group in _groups(runs, is_halving) for run in _decided(group)[1]]


def kept(runs: Iterable[Progress], is_halving: bool = True) -> set[int]:
    """The numbers of the runs that were in no comparison clearly worse."""
    return {run.number for group in _groups(runs, is_halving) for run in _decided(group)[0]}


def _groups(runs: Iterable[Progress], is_halving: bool) -> list[list[Progress]]:
    groups: dict[Hashable, list[Progress]] = {}
    for run in runs:
        if run.state not in ("stopping", "stopped", "removed"):
            groups.setdefault(run.group if is_halving else run.number, []).append(run)
    return list(groups.values())


def _decided(group: Sequence[Progress]) -> tuple[list[Progress], list[Progress]]:
    """The runs that are not left behind so far, and those of them to train now."""
    left = list(group)
    for step in comparison_steps(group[0].num_updates, group[0].eval_steps) if len(group) > 1 else ():
        if missing := [run for run in left if not run.has_ended and step not in run.losses]:
            return left, missing
        left.sort(key=lambda run: run.loss_at(step))
        last = left[max(1, len(left) // 2) - 1].loss_at(step)
        left = [run for run in left if run.loss_at(step) <= last * (1 + MARGIN)]
    return left, [run for run in left if not run.has_ended]


def num_updates(runs: Iterable[Progress], is_halving: bool = True) -> int:
    """The updates of new runs in all, if no two losses are close to each other and no run fails."""
    total = 0
    for group in _groups(runs, is_halving):
        size, before = len(group), 0
        steps = comparison_steps(group[0].num_updates, group[0].eval_steps) if size > 1 else []
        for step in [*steps, group[0].num_updates]:
            total, before = total + size * (step - before), step
            size = max(1, size // 2)
    return total
