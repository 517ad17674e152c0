"""The points of drawn curves: where they are in the picture, and the run, step and value that each shows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from utils import plots
from utils.runs import curves
from utils.runs.curves import Run

NUM_COLUMNS = 100  # in which each curve keeps its first, last, lowest and highest point


def points(picture: plots.Picture, runs: Sequence[Run], x: str, smoothing: float = 0.0) -> list[dict[str, Any]]:
    """The curves of a picture of `curves` that was drawn with these arguments: `name`, `what`, and per point lists.

    `left` and `top` are fractions of the picture's width and height; `step` is None where no record has this place.
    Not covered: unsmoothed training losses beside smoothed ones.
    """
    field, scale, _ = curves.X_AXES[x]
    size = picture.bbox.width, picture.bbox.height
    found = []
    for run, title in zip(runs, curves.titles(runs), strict=True):
        steps = {line.get(field, np.nan) / scale: line["step"] for line in (*run.train, *run.evals)}
        kinds = {f"{run.name}: {kind}": kind for kind in ("training", "validation", "pass rate")}
        for axis in picture.axes:
            for line in axis.get_lines():
                if line.get_label() not in kinds | {run.name: ""}:
                    continue
                what = kinds.get(str(line.get_label())) or axis.get_title(loc="left")
                drawn = (np.asarray(part, dtype=float) for part in (line.get_xdata(), line.get_ydata()))
                places, values = plots.thin(*drawn, num_columns=NUM_COLUMNS)
                left, top = np.round(axis.transData.transform(np.column_stack([places, values])) / size, 4).T
                found.append(
                    {
                        "name": title,
                        "what": f"{what}, smoothed" if smoothing and what == "training" else what,
                        "left": left.tolist(),
                        "top": np.round(1 - top, 4).tolist(),
                        "step": [steps.get(place) for place in places.tolist()],
                        "value": [float(f"{value:.5g}") for value in values],
                    }
                )
    return found
