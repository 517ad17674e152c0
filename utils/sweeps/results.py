"""The runs of a sweep as a table and a figure of every point, and the winner."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas

from utils import artifacts, plots
from utils.config import RunConfig
from utils.errors import UserError, unknown
from utils.runs import curves, launch
from utils.sweeps import queue
from utils.sweeps.halving import Progress
from utils.sweeps.space import LOGARITHMIC, SWEPT

# The field of a metrics line, its list in a run, whether less is better, and the label.
LOSS, PASS_RATE = "validation loss", "pass rate"
MEASURES = {
    LOSS: ("eval_loss", "evals", True, "validation loss (nats per token)"),
    PASS_RATE: ("pass_rate", "tasks", False, "tasks passed"),
}
EARLY = "stopped early"


def winner(sweep: queue.Sweep, measure: str = LOSS) -> Path | None:
    """The finished run with the best model by this measure, or None.

    Not covered: that losses on other validation rows, of another `seed` for example, say little about each other.
    """
    finished = [run.number for run in sweep.progress() if run.state == "finished"]
    values = {number: value(sweep.run_dir(number), measure) for number in finished}
    known = [number for number in values if np.isfinite(values[number])]
    best = (min if MEASURES[measure][2] else max)(known, key=values.__getitem__, default=None)
    return None if best is None else sweep.run_dir(best)


def value(run_dir: Path, measure: str = LOSS) -> float:
    """The measure of a run's model: at its newest evaluation, or at the best where it stops early by itself."""
    if measure not in MEASURES:
        raise unknown("measure", measure, MEASURES)
    field, lines, _, _ = MEASURES[measure]
    run = curves.Run.load(run_dir)
    step = run.best()["step"] if run.config.early_stopping_patience and run.evals else None  # ty: ignore[not-subscriptable]
    known = [line[field] for line in getattr(run, lines) if step in (None, line["step"])]
    return known[-1] if known else np.nan


def swept(sweep: queue.Sweep) -> list[str]:
    """The settings that differ between its runs."""
    configs = [vars(trial.config) for trial in sweep.trials().values()]
    return [name for name in SWEPT if len({config[name] for config in configs}) > 1]


def table(sweep: queue.Sweep, measure: str = LOSS) -> pandas.DataFrame:
    """One row per run, the best first: its settings, the measure, updates, and how it ended."""
    rows, trials, order = {}, sweep.trials(), sweep.unfinished()
    for run in sweep.progress():
        run_dir, trial = sweep.run_dir(run.number), trials[run.number]
        settings = {name: plots.encodable(f"{getattr(trial.config, name)}") for name in swept(sweep)}
        known = value(run_dir, measure) if (run_dir / "config.json").exists() and run.state != "failed" else np.nan
        step = max(run.losses, default=0)
        said = {measure: round(known, 4), "at update": f"{step:,} of {run.num_updates:,}"}
        fault = trial.fault or (launch.failure(run_dir) if run.state == "failed" else "")
        rows[run_dir.name] = settings | said | {"state": state(run, order, fault)}
    found = plots.Table.from_dict(rows, orient="index")
    return found.sort_values(measure, ascending=MEASURES[measure][2]) if len(found) else found


def state(run: Progress, order: list[int], fault: str) -> str:
    """How a run stands, in words; `order` are the runs to train further."""
    if run.state == "failed":
        return f"failed: {plots.encodable(fault)}"
    if run.state == "waiting":
        return EARLY if run.number not in order else "paused" if run.losses else "queued"
    return run.state


def figure(sweep: queue.Sweep, measure: str = LOSS) -> plots.Picture:
    """The measure against each swept setting, a point for every run; rings are runs without a final model.

    Raises `UserError` before the first evaluation.
    """
    field, _, _, label = MEASURES[measure]
    states = {run.number: run.state for run in sweep.progress()}
    points: list[tuple[RunConfig, float, bool]] = []
    for number, trial in sweep.trials().items():
        if states[number] != "failed" and (sweep.run_dir(number) / "config.json").exists():
            points.append((trial.config, value(sweep.run_dir(number), measure), states[number] == "finished"))
    points = [point for point in points if np.isfinite(point[1])]
    names = swept(sweep)
    if not points or not names:
        raise UserError(f"{sweep.folder.name} has no {measure} yet" if names else "all runs have the same settings")
    best = winner(sweep, measure)
    alt = f"{label} against {', '.join(names)}, {len(points)} runs; best finished run: {best.name if best else 'none'}."
    columns = min(len(names), 3)
    size = (3 * columns + 1.5, 3.2 * -(-len(names) // columns) + 0.3)
    picture, axes = plots.subplots(-(-len(names) // columns), columns, size, alt, sharey=True)
    for axis, name in zip(axes, names, strict=False):
        _draw(axis, name, [(getattr(config, name), loss, is_final) for config, loss, is_final in points])
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    axes[0].set_ylabel(label)
    axes[0].legend(frameon=False, fontsize=9)
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


def score(sweep: queue.Sweep) -> str:
    """The winner's loss on the rows that did not choose it, as a sentence, or "" before it is scored."""
    known = artifacts.read_json(sweep.folder / queue.SCORE)
    if not isinstance(known, dict) or "run" not in known:
        return ""
    if "fault" in known:
        return f"{known['run']} could not be scored on other rows: {known['fault']}"
    chosen = value(sweep.data_dir / "runs" / known["run"])
    return (
        f"{known['run']} has the lowest validation loss of the finished runs, {chosen:.4f}. On the "
        f"{known['num_rows']:,} validation pairs that compared no runs it has {known['loss']:.4f}: this is the figure "
        "to report."
    )
