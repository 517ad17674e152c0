"""Figures from pairs, token lengths and metrics: each function takes data and returns a Figure, and saves nothing.

A Figure is made without pyplot, so nothing is kept globally; one that ends a cell shows itself. The background is an
opaque white: light and dark JupyterLab show the same picture as the exported file, where lines on a transparent
ground would be hard to see in one of the two. Colours are Okabe and Ito's, told apart by colour-blind readers too,
and no meaning hangs on colour alone.
"""

import base64
import html
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from utils.errors import UserError, unknown
from utils.metrics import eval_lines, train_lines

BLUE, ORANGE, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#767676", "#222222"
# What the curves can be drawn against: the field of a metrics line, and the axis's label.
X_AXES = {
    "step": ("step", "step (updates)"),
    "epoch": ("epoch", "epoch (passes over the training pairs)"),
    "tokens": ("total_tokens", "tokens read"),
}
SCREEN_DPI = 192  # two pixels for each one on the page, for sharp screens
MAX_BARS = 12
COUNT = "{x:,.0f}"  # a format string of matplotlib: thousands apart


class Picture(Figure):
    """A Figure that a notebook shows without pyplot, its label being the text for readers who cannot see it."""

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=SCREEN_DPI)
        data, alt = base64.b64encode(buffer.getvalue()).decode(), html.escape(self.get_label())
        width = round(self.get_figwidth() * 96)
        return f'<img alt="{alt}" src="data:image/png;base64,{data}" style="width: {width}px; max-width: 100%">'


def _subplots(num_rows: int, num_columns: int, size: tuple[float, float], label: str, **options):
    """A Picture of `size` inches and its axes, flat: quiet frame, faint grid behind the data."""
    figure = Picture(figsize=size, layout="constrained", facecolor="white", label=label)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # inches
    axes = list(figure.subplots(num_rows, num_columns, squeeze=False, **options).flat)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(GREY)
        axis.tick_params(color=GREY, labelcolor=INK, labelsize=9)
        axis.grid(color="#E6E6E6", linewidth=0.8)
        axis.set_axisbelow(True)
    return figure, axes


def _title(axis: Axes, text: str) -> None:
    axis.set_title(text, loc="left", fontsize=10.5, color=INK)


def pair_lengths(rows: Sequence[dict[str, Any]]) -> Figure:
    """How long prompts (instruction and input) and responses are, in characters, on a logarithmic axis."""
    lengths = {
        "Instruction and input": [len(row["instruction"]) + len(row["input"]) for row in rows],
        "Response": [len(row["response"]) for row in rows],
    }
    figure, axes = _subplots(1, 2, (9, 3.1), f"Lengths of {len(rows):,} pairs in characters.", sharex=True, sharey=True)
    bins = _log_bins(*lengths.values())
    for axis, (name, values), color in zip(axes, lengths.items(), (BLUE, ORANGE), strict=True):
        axis.hist(np.maximum(values, 1), bins=bins, color=color, edgecolor="white", linewidth=0.4)
        _log_axis(axis, "length (characters)")
        _title(axis, name)
        if values:
            median = float(np.median(values))
            axis.axvline(median, color=INK, linewidth=1, linestyle="--", label=f"half are below {median:,.0f}")
            axis.legend(frameon=False, fontsize=9)
    axes[0].set_ylabel("pairs")
    return figure


def pair_kinds(rows: Sequence[dict[str, Any]]) -> Figure:
    """How many pairs there are of each kind, or from each source where pairs have no kind; rare ones are summed up."""
    name = "kind" if any("kind" in row for row in rows) else "source"
    counts = Counter(str(row.get(name, "none")) for row in rows).most_common()
    if len(counts) > MAX_BARS:
        rest = counts[MAX_BARS - 1 :]
        counts = counts[: MAX_BARS - 1] + [(f"{len(rest)} others", sum(count for _, count in rest))]
    label = f"Pairs by {name}: " + ", ".join(f"{key} {count:,}" for key, count in counts) + "."
    figure, (axis,) = _subplots(1, 1, (9, 1 + 0.3 * max(len(counts), 1)), label)
    bars = axis.barh([key for key, _ in counts], [count for _, count in counts], color=BLUE, height=0.7)
    axis.bar_label(bars, fmt="{:,.0f}", padding=4, fontsize=9, color=INK)
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
    axis.margins(x=0.08)
    axis.xaxis.set_major_formatter(COUNT)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("pairs")
    _title(axis, f"Pairs by {name}")
    return figure


def token_lengths(prompt_lengths: Sequence[int], response_lengths: Sequence[int], max_length: int) -> Figure:
    """How many tokens prompts, responses and both together have, beside the `max_length` that a pair may have."""
    prompts, responses = np.asarray(prompt_lengths, dtype=int), np.asarray(response_lengths, dtype=int)
    together = prompts + responses
    num_longer = int((together > max_length).sum())
    label = f"Tokens of {len(together):,} pairs; {num_longer:,} are longer than {max_length:,} tokens."
    figure, (axis,) = _subplots(1, 1, (9, 3.4), label)
    bins = _log_bins(prompts, responses, together, [max_length])
    lines = [("prompt (masked)", prompts, BLUE, ":"), ("response (trained on)", responses, ORANGE, "-")]
    for name, values, color, style in lines:
        look = dict(histtype="step", color=color, linewidth=1.8, linestyle=style)
        axis.hist(np.maximum(values, 1), bins=bins, label=name, **look)
    axis.hist(np.maximum(together, 1), bins=bins, color=GREY, alpha=0.35, label="prompt and response")
    axis.axvline(max_length, color=INK, linewidth=1.2, linestyle="--", label=f"max_length {max_length:,}")
    _log_axis(axis, "length (tokens)")
    axis.set_ylabel("pairs")
    axis.legend(frameon=False, fontsize=9, loc="upper left")
    _title(axis, f"{num_longer:,} of {len(together):,} pairs are longer than max_length")
    return figure


def _log_bins(*lengths: Sequence[int]) -> np.ndarray:
    """Edges of 44 bins, each wider by the same factor, that hold every length; lengths of 0 count as 1."""
    values = np.concatenate([np.asarray(part, dtype=float) for part in lengths]).clip(min=1)
    return np.geomspace(values.min(initial=100) / 1.05, values.max(initial=100) * 1.05, 45)


def _log_axis(axis: Axes, label: str) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(COUNT)
    axis.yaxis.set_major_formatter(COUNT)
    axis.set_xlabel(label)


def loss_curves(records: Sequence[dict[str, Any]], x: str = "step", smoothing: float = 0.0) -> Figure:
    """Training and validation loss of one run; `smoothing` (0 to below 1) adds a moving average of the training loss.

    `x` is `step`, `epoch` or `tokens`. Losses are means over trained tokens, in nats. Raises `UserError` for another
    `x` or `smoothing`. Not covered: several runs in one figure.
    """
    train, evals = train_lines(records), eval_lines(records)
    label = "Training loss" + _from_to(train, "loss") + "; validation loss" + _from_to(evals, "eval_loss") + "."
    figure, (axis,) = _subplots(1, 1, (9, 4), label)
    _draw_loss(axis, train, evals, x, smoothing)
    _x_axis(axis, x)
    return figure


def run_curves(records: Sequence[dict[str, Any]], x: str = "step", smoothing: float = 0.0) -> Figure:
    """One run at a glance: losses, learning rate, gradient norm and tokens per second against `x`, as `loss_curves`."""
    train, evals = train_lines(records), eval_lines(records)
    label = "Loss, learning rate, gradient norm and tokens per second of one run."
    figure, axes = _subplots(2, 2, (9, 5.6), label, sharex=True)
    _draw_loss(axes[0], train, evals, x, smoothing)
    panels = [
        ("learning_rate", "Learning rate", "learning rate"),
        ("grad_norm", "Gradient norm", "norm before clipping"),
        ("tokens_per_second", "Speed", "tokens per second"),
    ]
    for axis, (name, title, y_label) in zip(axes[1:], panels, strict=True):
        axis.plot(_values(train, X_AXES[x][0]), _values(train, name), color=BLUE, linewidth=1.4)
        axis.set_ylim(bottom=0)
        axis.set_ylabel(y_label)
        _title(axis, title)
    axes[1].yaxis.set_major_formatter("{x:g}")
    axes[3].yaxis.set_major_formatter(EngFormatter(sep=""))
    for axis in axes[2:]:
        _x_axis(axis, x)
    return figure


def _draw_loss(axis: Axes, train: list[dict], evals: list[dict], x: str, smoothing: float) -> None:
    if x not in X_AXES:
        raise unknown("x axis", x, X_AXES)
    if not 0 <= smoothing < 1:
        raise UserError(f"smoothing must be at least 0 and below 1, got {smoothing!r}.")
    axis.set_ylabel("loss (nats per token)")
    _title(axis, "Loss")
    if not train and not evals:
        axis.text(0.5, 0.5, "nothing recorded yet", transform=axis.transAxes, ha="center", color=GREY)
        return
    field = X_AXES[x][0]
    steps, losses = _values(train, field), _values(train, "loss")
    axis.plot(steps, losses, color=BLUE, linewidth=1.2, alpha=0.35 if smoothing else 1, label="training")
    if smoothing:
        name = f"training, smoothed {smoothing:g}"
        axis.plot(steps, _smoothed(losses, smoothing), color=BLUE, linewidth=2, label=name)
    if evals:
        at, eval_losses = _values(evals, field), _values(evals, "eval_loss")
        axis.plot(at, eval_losses, color=ORANGE, linewidth=1.6, marker="o", markersize=5, label="validation")
        best = int(np.argmin(eval_losses))
        name = f"lowest validation: {eval_losses[best]:.3f}"
        axis.plot(at[best], eval_losses[best], "o", markersize=12, color=INK, fillstyle="none", zorder=4, label=name)
    axis.legend(frameon=False, fontsize=9)


def _x_axis(axis: Axes, x: str) -> None:
    axis.set_xlabel(X_AXES[x][1])
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=x == "step"))
    if x == "tokens":
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))


def _values(records: list[dict], name: str) -> np.ndarray:
    return np.array([record[name] for record in records], dtype=float)


def _from_to(records: list[dict], name: str) -> str:
    values = _values(records, name)
    return f" from {values[0]:.3f} to {values[-1]:.3f}" if len(values) else " not recorded yet"


def _smoothed(values: np.ndarray, smoothing: float) -> np.ndarray:
    """The exponential moving average, without the pull towards 0 at its start."""
    average, weight, result = 0.0, 0.0, []
    for value in values:
        average = smoothing * average + (1 - smoothing) * value
        weight = smoothing * weight + (1 - smoothing)
        result.append(average / weight)
    return np.array(result)
