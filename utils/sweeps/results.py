"""The runs of a sweep as a table and a figure of every point, and the winner."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas

from utils import artifacts, plots
from utils.config import RunConfig
from utils.errors import UserError, encodable, number_of
from utils.runs import launch
from utils.runs.labels import typed
from utils.sweeps import halving
from utils.sweeps.halving import Progress
from utils.sweeps.queue import SCORE, Sweep, Trial, lines
from utils.sweeps.space import LOGARITHMIC, SWEPT


class Measure(NamedTuple):
    """By what runs are compared: the field of a metrics line, the line's kind, what is best, and its unit."""

    field: str
    kind: str
    best: Callable
    label: str


LOSS, PASS_RATE = "validation loss", "pass rate"
EARLY, COMPARED = "stopped early", "waiting for the others"
OPEN = ("running", "queued", "paused", COMPARED)  # states of runs that can be stopped
# What decides of which tokens a validation loss is the mean.
VALIDATED = ("pairs", "model_name_or_path", "template", "max_length", "max_eval_samples", "seed")
MEASURES = {
    LOSS: Measure("eval_loss", "eval", min, "validation loss (nats per token)"),
    PASS_RATE: Measure("pass_rate", "tasks", max, "tasks passed"),
}


def points(sweep: Sweep, measure: str = LOSS) -> list[tuple[Progress, Trial, float]]:
    """Every run, and the measure of its model: NaN before the first evaluation and after a failure."""
    trials, found = sweep.trials(), []
    for run in sweep.progress():
        run_dir = sweep.run_dir(run.number)
        is_known = run.state != "failed" and (run_dir / "config.json").exists()
        found.append((run, trials[run.number], value(run_dir, measure) if is_known else np.nan))
    return found


def value(run_dir: Path, measure: str = LOSS) -> float:
    """The measure at a run's newest evaluation, or at the best where it keeps the best model (early stopping)."""
    recorded, (field, kind, *_) = lines(run_dir), MEASURES[measure]
    known = {line["step"]: line[field] for line in recorded if line["kind"] == kind}
    losses = {line["step"]: line["eval_loss"] for line in recorded if line["kind"] == "eval"}
    if losses and RunConfig.load(run_dir / "config.json").early_stopping_patience:
        return known.get(min(losses, key=losses.__getitem__), np.nan)
    return known[max(known)] if known else np.nan


def winner(sweep: Sweep, measure: str = LOSS) -> Path | None:
    """The finished run with the best model by this measure, or None; by loss only of runs with the same rows."""
    if measure == LOSS and not is_comparable(sweep):
        return None
    values = {
        run.number: value for run, _, value in points(sweep, measure) if run.state == "finished" and np.isfinite(value)
    }
    best = MEASURES[measure].best(values, key=values.__getitem__, default=None)
    return None if best is None else sweep.run_dir(best)


def is_comparable(sweep: Sweep) -> bool:
    """Whether the validation losses of the finished runs are means over the same tokens."""
    trials = sweep.trials()
    configs = [trials[run.number].config for run in sweep.progress() if run.state == "finished"]
    return len({tuple(getattr(config, name) for name in VALIDATED) for config in configs}) <= 1


def swept(sweep: Sweep) -> list[str]:
    """The settings that differ between its runs."""
    configs = [vars(trial.config) for trial in sweep.trials().values()]
    return [name for name in SWEPT if len({config[name] for config in configs}) > 1]


def table(sweep: Sweep, measure: str = LOSS) -> pandas.DataFrame:
    """One row per run, the best first: its settings, the measure, updates, and its state."""
    rows, names, measured, is_halving = {}, swept(sweep), points(sweep, measure), sweep.is_halving
    runs = [run for run, _, _ in measured]  # read once, so that order and states agree
    order, kept = halving.unfinished(runs, is_halving), halving.kept(runs, is_halving)
    for run, trial, found in measured:
        run_dir = sweep.run_dir(run.number)
        settings = {name: encodable(typed(getattr(trial.config, name), name)) for name in names}
        known = {measure: round(found, 4), "at update": f"{max(run.losses, default=0):,} of {run.num_updates:,}"}
        fault = trial.fault or (launch.failure(run_dir) if run.state == "failed" else "")
        rows[run_dir.name] = settings | known | {"state": state(run, order, kept, fault)}
    found = plots.Table.from_dict(rows, orient="index")
    return found.sort_values(measure, ascending=MEASURES[measure].best is min) if len(found) else found


def state(run: Progress, order: list[int], kept: set[int], fault: str) -> str:
    """How a run stands, in words; `order` are the runs to train now, `kept` those that are not stopped early."""
    if run.state == "failed":
        return f"failed: {encodable(fault)}"
    if run.state == "waiting":
        if run.number not in order:
            return COMPARED if run.number in kept else EARLY
        return "paused" if run.losses else "queued"
    return run.state


def figure(sweep: Sweep, measure: str = LOSS) -> plots.Picture:
    """The measure against each swept setting, a point for every run; rings are runs without a final model.

    Raises `UserError` before the first evaluation, and where no setting differs.
    """
    found = [point for point in points(sweep, measure) if np.isfinite(point[2])]
    names, best, label = swept(sweep), winner(sweep, measure), MEASURES[measure].label
    if not found or not names:
        raise UserError(f"{sweep.folder.name} has no {measure} yet." if names else "All runs have the same settings.")
    alt = f"{label} against {', '.join(names)}, {len(found)} runs; best finished run: {best.name if best else 'none'}."
    columns = min(len(names), 3)
    num_rows = -(-len(names) // columns)
    size = (max(6, 3 * columns), 3.2 * num_rows + 0.3)
    picture, axes = plots.subplots(num_rows, columns, size, encodable(alt), sharey=True)
    for axis, name in zip(axes, names, strict=False):
        _draw(
            axis, name, [(getattr(trial.config, name), value, run.state == "finished") for run, trial, value in found]
        )
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    axes[0].set_ylabel(label)
    if any(run.state != "finished" for run, *_ in found):
        picture.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", frameon=False, fontsize=9)
    return picture


def _draw(axis, name: str, points: list[tuple[Any, float, bool]]) -> None:
    values = [setting for setting, *_ in points]
    is_number = all(type(value) in (int, float) for value in values)
    for is_final, text in ((True, "finished"), (False, "not finished: its newest evaluation")):
        chosen = [point for point in points if point[2] == is_final]
        x = [setting if is_number else plots.literal(str(setting)) for setting, *_ in chosen]
        look: dict[str, Any] = dict(facecolors=plots.BLUE if is_final else "none", edgecolors=plots.BLUE, s=45)
        if chosen:
            axis.scatter(x, [loss for _, loss, _ in chosen], **look, label=text)
    if is_number and name in LOGARITHMIC and min(values) > 0:
        axis.set_xscale("log")
    plots.title(axis, name)


def score(sweep: Sweep) -> str:
    """The winner's loss on the rows that did not choose it, as a sentence, or "" before it is scored."""
    if not is_comparable(sweep):
        differing = " and ".join(name for name in swept(sweep) if name in VALIDATED) or "validation pairs"
        return f"The runs differ in {differing}: their losses are of other tokens. Compare pass rates (eval_tasks)."
    known = artifacts.read_json(sweep.folder / SCORE)
    if not isinstance(known, dict) or "run" not in known:
        return ""
    if "fault" in known:
        return f"{known['run']} could not be scored on other rows: {known['fault']}"
    chosen = value(sweep.data_dir / "runs" / known["run"])
    pairs = number_of(known["num_rows"], "validation pair")
    return (
        f"{known['run']} has the lowest validation loss of the finished runs, {chosen:.4f}. On {pairs} "
        f"that compared no runs its loss is {known['loss']:.4f}: this is the figure to report."
    )
