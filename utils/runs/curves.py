"""Comparison of runs: curves in one figure, results and settings as tables.

Runs differ in colour (Okabe and Ito's palette), line style and marker, so that colour alone carries no meaning. Lines
are thinned to the width of the picture in pixels, keeping every minimum and maximum.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from utils import plots
from utils.config import RunConfig
from utils.errors import UserError, encodable, unknown
from utils.runs import folders, labels, launch, metrics

# The x axes: field of a metrics line, its units per unit of the axis, label.
X_AXES = {
    "step": ("step", 1, "step (updates)"),
    "epoch": ("epoch", 1, "epoch (passes over the training pairs)"),
    "tokens": ("total_tokens", 1, "tokens read"),
    "time": ("seconds", 60, "training time (minutes)"),
}
# One of each per run; their numbers have no common divisor, so a combination repeats after 105 runs.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
DASHES = ("-", (0, (6, 1.5)), (0, (2, 1.2)), (0, (7, 1.5, 1.5, 1.5)), (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "os^"
MAX_MARKERS = 30  # per run
FAINT: dict[str, Any] = dict(linewidth=0.8, alpha=0.3, zorder=1.5)


@dataclass(frozen=True)
class Run:
    """One run; `train`, `evals` and `tasks` are the lines of its metrics."""

    name: str
    state: str
    config: RunConfig
    train: list[dict[str, Any]]
    evals: list[dict[str, Any]]
    tasks: list[dict[str, Any]] = field(default_factory=list)
    about: labels.About = labels.About()

    @classmethod
    def load(cls, run_dir: Path) -> "Run":
        """Read a run's folder; raises `UserError` when its settings or metrics cannot be read."""
        config, records = RunConfig.load(run_dir / "config.json"), metrics.read(run_dir)
        lines = metrics.train_lines(records), metrics.eval_lines(records), metrics.task_lines(records)
        return cls(encodable(run_dir.name), launch.state(run_dir), config, *lines, labels.about(run_dir))

    def best(self) -> dict[str, Any] | None:
        """The evaluation with the lowest loss."""
        return min(self.evals, key=lambda line: line["eval_loss"], default=None)


def load(run_dirs: Iterable[Path]) -> tuple[list[Run], dict[str, str]]:
    """The readable runs, and of the others their names and why they are unreadable."""
    runs, unreadable = [], {}
    for run_dir in run_dirs:
        try:
            runs.append(Run.load(run_dir))
        except UserError as error:
            unreadable[encodable(run_dir.name)] = encodable(str(error))
    return runs, unreadable


def named(runs: Sequence[Run]) -> dict[str, str]:
    """The label of each run, by its name: see `labels.labels`."""
    return labels.labels({run.name: run.config for run in runs}, {run.name: run.about.label for run in runs})


def titles(runs: Sequence[Run]) -> list[str]:
    """What legends call each run."""
    names = named(runs)
    return [labels.title(run.name, names[run.name]) for run in runs]


def choose(data_dir: Path, run_dir: Path, names: str = "") -> list[Path]:
    """`run_dir` and the runs to compare it with: `names`, separated by spaces, else the two newest on the same pairs.

    Raises `UserError` for an unknown name.
    """
    if not names.split():
        pairs = RunConfig.load(run_dir / "config.json").pairs
        others = [path for path, config in folders.readable(data_dir).items() if config.pairs == pairs]
        return [run_dir, *[path for path in others if path.name != run_dir.name][:2]]
    known = {path.name: path for path in folders.runs(data_dir)}
    for name in names.split():
        if name not in known:
            raise unknown("run in COMPARE", name, known)
    return list(dict.fromkeys([run_dir, *(known[name] for name in names.split())]))


def summary(runs: Sequence[Run], unreadable: Mapping[str, str] | None = None) -> pandas.DataFrame:
    """One row per run: state, lowest validation loss and its step, speed, memory, time; empty where unknown.

    With labels where runs have some. `unreadable` are names and faults of other runs.
    """
    rows: dict[str, dict[str, Any]] = {}
    names = named(runs)
    for run in runs:
        best = run.best() or {"eval_loss": np.nan, "step": None}
        train = pandas.DataFrame(run.train, columns=["tokens_per_second", "memory_bytes", "seconds"], dtype=float)
        rows[run.name] = ({"label": names[run.name]} if any(names.values()) else {}) | {
            "state": run.state,
            "updates": run.train[-1]["step"] if run.train else 0,
            "lowest validation loss (nats/token)": round(best["eval_loss"], 3),
            "its perplexity": round(float(np.exp(best["eval_loss"])), 2),
            "at step": best["step"],
            "tokens/s (median)": round(train["tokens_per_second"].median(), 0),
            "peak memory (GiB)": round(train["memory_bytes"].max() / 2**30, 2),
            "training time (minutes)": round(train["seconds"].max() / 60, 1),
        }
        if any(run.tasks for run in runs):
            rows[run.name]["best pass rate"] = round(max((line["pass_rate"] for line in run.tasks), default=np.nan), 3)
    rows |= {name: {"state": f"unreadable: {fault}"} for name, fault in (unreadable or {}).items()}
    table = plots.Table.from_dict(rows, orient="index")
    return table.astype({"updates": "Int64", "at step": "Int64"}) if runs else table


def differences(configs: dict[str, RunConfig]) -> pandas.DataFrame:
    """The settings in which runs differ: one row per setting, one column per run."""
    settings = {name: asdict(config) for name, config in configs.items()}
    first = next(iter(settings.values()), {})
    differing = [field for field in first if any(other[field] != first[field] for other in settings.values())]
    columns = {name: [str(values[field]) for field in differing] for name, values in settings.items()}
    return plots.Table(columns, index=pandas.Index(differing, name="setting"))


def compare(runs: Sequence[Run], x: str = "step", smoothing: float = 0.0, perplexity: bool = False) -> plots.Picture:
    """Training loss (lines) and validation loss (markers) of runs in one figure, the lowest validation loss ringed.

    Pass rates on tasks are below the losses where a run has some. `x` is one of `X_AXES`. `smoothing` (0 to below 1)
    adds the exponential moving average of the training loss. Losses are means over target tokens, in nats; `perplexity`
    shows `exp` of them on a logarithmic axis. Raises `UserError` for an invalid `x` or `smoothing`.
    """
    _check(x, smoothing)
    # exp overflows a float above 709, and the axis limits before that.
    shown = (lambda losses: np.exp(np.minimum(losses, 300))) if perplexity else (lambda losses: losses)
    what = "perplexity" if perplexity else "loss"
    names = [f"{title}: {_lowest(run, what, shown)}" for run, title in zip(runs, titles(runs), strict=True)]
    label = f"Training and validation {what} against {X_AXES[x][2]}. " + "; ".join(names) + "."
    ratios = (2, 1) if any(run.tasks for run in runs) else (1,)
    size = (9, 2.2 + 2.1 * len(ratios) + 0.2 * len(runs))
    figure, (axis, *below) = plots.subplots(len(ratios), 1, size, label, sharex=True, height_ratios=ratios)
    for index, run in enumerate(runs):
        _draw_losses(axis, run, x, smoothing, shown, index)
    if not any(run.train or run.evals for run in runs):
        axis.set_ylim(0, 1)
        axis.text(0.5, 0.5, "nothing recorded yet", transform=axis.transAxes, ha="center", color=plots.GREY)
    _legend(figure, names, MARKERS)
    axis.set_ylabel("perplexity (logarithmic)" if perplexity else "loss (nats per token)")
    plots.title(axis, f"{what.capitalize()}: training (lines), validation (markers), lowest validation (ringed)")
    if perplexity:
        low, high = axis.get_ylim()
        is_wide = high > 20 * max(low, 1)  # wide enough for three ticks a decade
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if is_wide else MaxNLocator(7, steps=[1, 2, 5, 10]))
        axis.yaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_formatter("{x:g}")
    for rates in below:
        _draw_pass_rates(rates, runs, x)
    _x_axis((axis, *below)[-1], x)
    return figure


def _draw_losses(axis: Axes, run: Run, x: str, smoothing: float, shown: Callable, index: int) -> None:
    """Draw one run's losses, transformed by `shown`, in the style of number `index`."""
    field, scale, _ = X_AXES[x]
    look = _look(index)
    steps, losses = _values(run.train, field) / scale, _values(run.train, "loss")
    if smoothing:
        axis.plot(*plots.thin(steps, shown(losses)), color=look["color"], **FAINT)
    axis.plot(
        *plots.thin(steps, shown(_smoothed(losses, smoothing))), **look, linewidth=1.8, label=f"{run.name}: training"
    )
    at, losses = _values(run.evals, field) / scale, shown(_values(run.evals, "eval_loss"))
    # A white edge separates markers from the lines below them.
    marks: dict[str, Any] = dict(
        color=look["color"], marker=MARKERS[index % len(MARKERS)], markersize=7, markeredgecolor="white"
    )
    marks |= dict(markevery=len(at) // MAX_MARKERS + 1, linewidth=0.8, zorder=3)
    axis.plot(at, losses, **marks, label=f"{run.name}: validation")
    if len(at):
        best = int(np.argmin(losses))
        ring: dict[str, Any] = dict(
            marker="o", markersize=13, fillstyle="none", markeredgewidth=1.6, color=plots.INK, zorder=4
        )
        axis.plot(at[best], losses[best], **ring, linestyle="none", label=f"{run.name}: lowest")


def _draw_pass_rates(axis: Axes, runs: Sequence[Run], x: str) -> None:
    """Draw the pass rates at the places of their evaluations, in the styles of the losses."""
    name, scale, _ = X_AXES[x]
    for index, run in enumerate(runs):
        places = {line["step"]: line.get(name, np.nan) / scale for line in run.evals}
        at = [places.get(line["step"], np.nan) for line in run.tasks]
        mark = MARKERS[index % len(MARKERS)]
        axis.plot(at, _values(run.tasks, "pass_rate"), **_look(index), marker=mark, label=f"{run.name}: pass rate")
    axis.set_ylim(bottom=0)
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.set_ylabel("tasks passed")
    plots.title(axis, "Pass rate on tasks")


def details(runs: Sequence[Run], x: str = "step", smoothing: float = 0.0) -> plots.Picture:
    """Learning rate, gradient norm, speed and memory of runs, in the styles of `compare`.

    `x` and `smoothing` (of norm and speed) and errors: as in `compare`.
    """
    _check(x, smoothing)
    field, scale, _ = X_AXES[x]
    names = titles(runs)
    label = f"Learning rate, gradient norm, tokens per second and memory of {', '.join(names)}."
    figure, axes = plots.subplots(2, 2, (9, 5.4 + 0.2 * len(runs)), label, sharex=True)
    panels = [
        ("learning_rate", 1, 0, "Learning rate", "learning rate", "{x:g}"),
        ("grad_norm", 1, smoothing, "Gradient norm", "norm before clipping", "{x:g}"),
        ("tokens_per_second", 1, smoothing, "Speed", "tokens per second", EngFormatter(sep="")),
        ("memory_bytes", 2**30, 0, "Memory", "largest process (GiB)", "{x:g}"),
    ]
    for axis, (name, unit, weight, title, y_label, formatter) in zip(axes, panels, strict=True):
        for index, run in enumerate(runs):
            look, steps, values = _look(index), _values(run.train, field) / scale, _values(run.train, name) / unit
            if weight:
                axis.plot(*plots.thin(steps, values), color=look["color"], **FAINT)
            axis.plot(*plots.thin(steps, _smoothed(values, weight)), **look, linewidth=1.4, label=run.name)
        top = axis.dataLim.y1
        axis.set_ylim(0, 1.08 * top if 0 < top < np.inf else 1)
        axis.yaxis.set_major_formatter(formatter)
        axis.set_ylabel(y_label)
        plots.title(axis, title)
    _legend(figure, names)
    for axis in axes[2:]:
        _x_axis(axis, x)
    return figure


def _look(index: int) -> dict[str, Any]:
    return {"color": COLORS[index % len(COLORS)], "linestyle": DASHES[index % len(DASHES)]}


def _legend(figure: Figure, names: Sequence[str], markers: str = "") -> None:
    marks = [
        {"marker": markers[index % len(markers)], "markersize": 7} if markers else {} for index in range(len(names))
    ]
    handles = [
        Line2D([], [], **_look(i), **marks[i], linewidth=1.8, label=plots.literal(name)) for i, name in enumerate(names)
    ]
    figure.legend(handles=handles, loc="outside upper left", frameon=False, fontsize=9.5, handlelength=4)


def _lowest(run: Run, what: str, shown: Callable) -> str:
    best = run.best()
    if best is None:
        return "no evaluation yet"
    rate = f", best pass rate {max(line['pass_rate'] for line in run.tasks):.0%}" if run.tasks else ""
    return f"lowest validation {what} {shown(best['eval_loss']):.3f} at step {best['step']:,}{rate}"


def _check(x: str, smoothing: float) -> None:
    if x not in X_AXES:
        raise unknown("x axis", x, X_AXES)
    if not 0 <= smoothing < 1:
        raise UserError(f"smoothing must be at least 0 and below 1, got {smoothing!r}.")


def _x_axis(axis: Axes, x: str) -> None:
    axis.set_xlabel(X_AXES[x][2])
    is_whole = x in ("step", "tokens")  # then a single place has a single tick
    axis.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=is_whole, min_n_ticks=1))
    axis.xaxis.set_major_formatter({"step": plots.COUNT, "tokens": EngFormatter(sep="")}.get(x, "{x:g}"))


def _values(records: list[dict[str, Any]], name: str) -> np.ndarray:
    """A field of every line as floats; NaN where it is missing."""
    return np.array([record.get(name, np.nan) for record in records], dtype=float)


def _smoothed(values: np.ndarray, smoothing: float) -> np.ndarray:
    """The bias-corrected exponential moving average, which weights the previous average by `smoothing`."""
    return pandas.Series(values).ewm(alpha=1 - smoothing, ignore_na=True).mean().to_numpy()
