"""The result of an evaluation as a table, as a figure, and as the record that `make run` summarizes."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from utils import files, plots
from utils.evaluation import measure
from utils.evaluation.measure import BASE, TUNED, Result, Sample, Settings

RESULT = "result.json"
MAX_GROUPS = 12


def table(samples: Sequence[Sample], k: int, shared: frozenset[str]) -> plots.Table:
    """pass@k of both models, also by group of tasks, and of those that share text with training pairs apart.

    The group of `wordings/add` is `wordings`. Below are the numbers of answers by how they ended.
    """
    counted = measure.result(samples, k, shared)
    apart = measure.result([sample for sample in samples if sample.task_id in shared], k)
    rows = {
        f"pass@{k} of {counted.comparison.difference.num_tasks:,} tasks": counted.rates,
        f"pass@{k} of {len(shared):,} tasks that share text with training pairs": apart.rates,
    }
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.task_id.rpartition("/")[0], []).append(sample)
    if 1 < len(groups) <= MAX_GROUPS:
        for name, ones in groups.items():
            of_group = measure.result(ones, k, shared)
            rows[f"pass@{k} of {of_group.comparison.difference.num_tasks:,} tasks: {name or 'others'}"] = of_group.rates
    kinds = Counter((sample.kind, sample.model) for sample in samples)
    for kind in dict.fromkeys([*sorted({sample.kind for sample in samples}), "not judged"]):
        rows[f"answers: {kind}"] = {model: kinds[kind, model] for model in (BASE, TUNED)}
    return plots.Table(plots.Table.from_dict(rows, orient="index", columns=[BASE, TUNED]).map(str))


def figure(result: Result) -> Figure:
    """The pass rates with their intervals, and the numbers of tasks gained, lost, solved by both and by neither."""
    counts = ", ".join(f"{name} {number:,}" for name, number in result.changes.items())
    rates = ", ".join(f"{model} {rate}" for model, rate in result.rates.items())
    picture, (left, right) = plots.subplots(1, 2, (9, 2.6), f"pass@{result.k}: {rates}. Tasks: {counts}.")
    for (model, rate), marker, color in zip(result.rates.items(), "os", (plots.BLUE, plots.ORANGE), strict=True):
        value, low, high = (100 * number for number in (rate.value, rate.low, rate.high))
        left.errorbar(value, model, xerr=[[value - low], [high - value]], fmt=marker, color=color, capsize=4)
        left.annotate(f"{value:.1f} %", (value, model), (0, 8), textcoords="offset points", ha="center", fontsize=9)
    left.set_ylim(1.6, -0.6)
    left.set_xlim(left=min(-1, left.get_xlim()[0]))
    left.set_xlabel("tasks passed (%), 95 % interval")
    plots.title(left, f"pass@{result.k} of {result.comparison.difference.num_tasks:,} tasks")
    bars = right.barh(list(result.changes), list(result.changes.values()), color=plots.GREY, height=0.7)
    right.bar_label(bars, fmt="{:,.0f}", padding=4, fontsize=9, color=plots.INK)
    right.invert_yaxis()
    right.grid(visible=False, axis="y")
    right.margins(x=0.12)
    right.xaxis.set_major_locator(plots.MaxNLocator(integer=True))
    right.set_xlabel("tasks")
    plots.title(right, "Tasks by who solves them")
    return picture


def save(folder: Path, settings: Settings, result: Result) -> None:
    """Write the result beside its samples, in words."""
    words = {model: str(rate) for model, rate in result.rates.items()} | {"comparison": str(result.comparison)}
    files.write_json(folder / RESULT, {"measure": f"pass@{result.k}", "tasks": settings.tasks} | words)
