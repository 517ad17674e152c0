"""Figures of pairs and token lengths, and the style of all figures; the curves of runs are in `runs.curves`.

Figures are made without pyplot, which keeps global state; one at the end of a cell displays itself. They are drawn on
white; a dark page inverts their brightness, not their hues. Colours are Okabe and Ito's, distinct for colour-blind
readers, and never the only difference.
"""

import base64
import html
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from utils.errors import encodable

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#767676", "#222222"
SCREEN_DPI = 192  # two pixels per CSS pixel
NUM_COLUMNS = 1600  # of pixels: an axis 8.3 inches wide at 192 dpi
MAX_BARS = 12
MAX_CELL = 500  # characters
COUNT = "{x:,.0f}"  # a format string of matplotlib
INVERTED = "{ filter: invert(0.93) hue-rotate(180deg); }"  # CSS of a figure on a dark page
SCROLLED = '<div tabindex="0" style="overflow-x: auto">'  # a wide table; JupyterLab's own scrolls by mouse alone
# A table in a widget, to which JupyterLab gives no style.
CELLS = (
    "<style>.widget-html-content .dataframe :is(th, td) "
    "{ padding: 3px 16px 3px 0; text-align: left; line-height: 1.4; }</style>"
)
STYLE = f'<style>[data-jp-theme-light="false"] img.figure {INVERTED}</style>'


class Picture(Figure):
    """A Figure that displays itself in a notebook; its label is the alternative text."""

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=SCREEN_DPI)
        data, alt = base64.b64encode(buffer.getvalue()).decode(), html.escape(encodable(str(self.get_label())))
        width = round(self.get_figwidth() * 96)
        style = f"width: {width}px; max-width: 100%"
        return f'<img alt="{alt}" class="figure" src="data:image/png;base64,{data}" style="{style}">{STYLE}'


class Table(pandas.DataFrame):
    """A table whose text is no mathematics: JupyterLab would typeset `$…$`. A notebook shows all rows, with cells cut
    at `MAX_CELL`; `to_html` is in full.
    """

    @property
    def _constructor(self) -> type["Table"]:
        return Table

    def to_html(self, *args, **options):
        look: dict[str, Any] = dict(na_rep="", border=0, justify="left") | options
        with pandas.option_context("display.html.use_mathjax", False):
            return f"{SCROLLED}{CELLS}{super().to_html(*args, **look)}</div>"

    def _repr_html_(self) -> str | None:
        whole = ("display.max_rows", None, "display.max_columns", None)
        with pandas.option_context("display.html.use_mathjax", False, "display.max_colwidth", MAX_CELL, *whole):
            page = super()._repr_html_()
        return page and page.replace("<div>", SCROLLED, 1)


def subplots(
    num_rows: int, num_columns: int, size: tuple[float, float], label: str, **options
) -> tuple[Picture, list[Axes]]:
    """A Picture of `size` inches and a flat list of its axes, in the common style."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)  # inches
    figure = Picture(figsize=size, layout=layout, facecolor="white", label=label)
    axes = list(figure.subplots(num_rows, num_columns, squeeze=False, **options).flat)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(GREY)
        axis.tick_params(color=GREY, labelcolor=INK, labelsize=9)
        axis.grid(color="#E6E6E6", linewidth=0.8)
        axis.set_axisbelow(True)
    return figure, axes


def literal(text: str) -> str:
    """`text` for a label of matplotlib, which takes what is between two `$` for mathematics."""
    return encodable(text).replace("$", r"\$")


def title(axis: Axes, text: str) -> None:
    axis.set_title(text, loc="left", fontsize=10.5, color=INK)


def thin(x: np.ndarray, y: np.ndarray, num_columns: int = NUM_COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """The points that determine a line's shape: first, last, lowest and highest of each of equal columns of x.

    x must not decrease. Points that are not finite are left out.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) <= 4 * num_columns:
        return x, y
    columns = ((x - x[0]) / ((x[-1] - x[0]) or 1) * num_columns).astype(int)
    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    ends = np.append(starts[1:], len(x)) - 1
    by_height = np.lexsort((y, columns))  # within a column from the lowest to the highest
    kept = np.unique(np.concatenate([starts, ends, by_height[starts], by_height[ends]]))
    return x[kept], y[kept]


def pair_lengths(rows: Sequence[dict[str, Any]]) -> Figure:
    """Histogram of the lengths of prompts (instruction and input) and responses, in characters."""
    lengths = {
        "Instruction and input": [len(row["instruction"]) + len(row["input"]) for row in rows],
        "Response": [len(row["response"]) for row in rows],
    }
    figure, axes = subplots(1, 2, (9, 3.1), f"Lengths of {len(rows):,} pairs in characters.", sharex=True, sharey=True)
    bins = _log_bins(*lengths.values())
    for axis, (name, values), color in zip(axes, lengths.items(), (BLUE, ORANGE), strict=True):
        axis.hist(np.maximum(values, 1), bins=bins, color=color, edgecolor="white", linewidth=0.4)
        _log_axis(axis, "length (characters)")
        title(axis, name)
        if values:
            median = float(np.median(values))
            axis.axvline(median, color=INK, linewidth=1, linestyle="--", label=f"median {median:,.0f}")
            axis.legend(frameon=False, fontsize=9)
    axes[0].set_ylabel("pairs")
    return figure


def pair_kinds(rows: Sequence[dict[str, Any]]) -> Figure:
    """The number of pairs of each kind, or from each source where pairs have no kind; rare ones are combined."""
    name = "kind" if any("kind" in row for row in rows) else "source"
    counts = Counter(str(row.get(name, "none")) for row in rows).most_common()
    if len(counts) > MAX_BARS:
        rest = counts[MAX_BARS - 1 :]
        counts = counts[: MAX_BARS - 1] + [(f"{len(rest)} others", sum(count for _, count in rest))]
    label = f"Pairs by {name}: " + ", ".join(f"{key} {count:,}" for key, count in counts) + "."
    figure, (axis,) = subplots(1, 1, (9, 1 + 0.3 * max(len(counts), 1)), label)
    bars = axis.barh([literal(key) for key, _ in counts], [count for _, count in counts], color=BLUE, height=0.7)
    axis.bar_label(bars, fmt="{:,.0f}", padding=4, fontsize=9, color=INK)
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
    axis.margins(x=0.08)
    axis.xaxis.set_major_formatter(COUNT)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("pairs")
    title(axis, f"Pairs by {name}")
    return figure


def token_lengths(prompt_lengths: Sequence[int], response_lengths: Sequence[int], max_length: int) -> Figure:
    """Histogram of the tokens in prompts, responses and whole pairs, with `max_length` marked."""
    prompts, responses = np.asarray(prompt_lengths, dtype=int), np.asarray(response_lengths, dtype=int)
    together = prompts + responses
    num_longer = int((together > max_length).sum())
    label = f"Tokens of {len(together):,} pairs; {num_longer:,} are longer than {max_length:,} tokens."
    figure, (axis,) = subplots(1, 1, (9, 3.4), label)
    bins = _log_bins(prompts, responses, together, [max_length])
    lines = [("prompt (masked)", prompts, BLUE, ":"), ("response (target)", responses, ORANGE, "-")]
    for name, values, color, style in lines:
        look: dict[str, Any] = dict(histtype="step", color=color, linewidth=1.8, linestyle=style)
        axis.hist(np.maximum(values, 1), bins=bins, label=name, **look)
    axis.hist(np.maximum(together, 1), bins=bins, color=GREY, alpha=0.35, label="prompt and response")
    axis.axvline(max_length, color=INK, linewidth=1.2, linestyle="--", label=f"max_length {max_length:,}")
    _log_axis(axis, "length (tokens)")
    axis.set_ylabel("pairs")
    axis.legend(frameon=False, fontsize=9, loc="upper left")
    title(axis, f"{num_longer:,} of {len(together):,} pairs are longer than max_length")
    return figure


def _log_bins(*lengths: Sequence[int] | np.ndarray) -> list[float]:
    """Logarithmic edges of 44 bins that hold every length; lengths of 0 count as 1."""
    values = np.concatenate([np.asarray(part, dtype=float) for part in lengths]).clip(min=1)
    return np.geomspace(values.min(initial=100) / 1.05, values.max(initial=100) * 1.05, 45).tolist()


def _log_axis(axis: Axes, label: str) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(COUNT)
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.yaxis.set_major_formatter(COUNT)
    axis.set_xlabel(label)
