"""What `make bench` prints: the figures beside the bars they are to reach.

A result is what one contender measured (`worker.run`), or why it `failed` or was `left_out`. A figure made of
nothing measured is NaN, and is shown as "not measured".
"""

import math
import os
import platform
import shlex
import statistics
import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import torch

from utils.errors import UserError

Result = dict[str, Any]


def name_of(spec: dict[str, Any]) -> str:
    named = [spec[key] for key in ("trainer", "layout", "dtype") if key in spec]
    settings = [value if name == "optim" else f"{name}={value}" for name, value in spec.get("settings", {}).items()]
    return " ".join([*named, *settings, *([f"{spec['num_pairs']} at once"] if "num_pairs" in spec else [])])


def machine(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} CPU cores, {torch.backends.cpu.get_cpu_capability()}"


def header(device: str) -> str:
    """Where, when, with what, and by which command the figures below it were measured."""
    names = ("torch", "transformers", "accelerate", "trl", "datasets", "torchao", "tokenizers")
    packages = ", ".join(f"{name} {version(name) if find_spec(name) else 'not installed'}" for name in names)
    python = platform.python_version()
    return (
        f"{machine(device)}, {time.strftime('%Y-%m-%d')}, python {python}, {packages}: `python {shlex.join(sys.argv)}`"
    )


def reason(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    named = first if isinstance(error, UserError) else f"{type(error).__name__}: {first}"
    return named.replace("|", "/")[:200]


def measured(results: list[Result]) -> list[Result]:
    return [result for result in results if "times" in result]


def rates(result: Result, warm_up: int = 1) -> list[float]:
    """Tokens a second, without padding, of every update after the first ones."""
    times, tokens = result["times"][warm_up - 1 :], result["num_tokens"][warm_up:]
    return [count / (end - start) for count, start, end in zip(tokens, times[:-1], times[1:], strict=True)]


def tokens_per_second(results: list[Result], warm_up: int = 1) -> float:
    return _median([rate for result in measured(results) for rate in rates(result, warm_up)])


def share(results: list[Result], warm_up: int = 1) -> float:
    """The part of the matrix rate that the needed operations reach: the median over the runs."""
    shares = []
    for result in measured(results):
        seconds = result["times"][-1] - result["times"][warm_up - 1]
        shares.append(sum(result["flop"][warm_up:]) / seconds / result["flop_per_second"])
    return _median(shares)


def _median(values: list[float]) -> float:
    return statistics.median(values) if values else math.nan


def difference(one: Result, other: Result) -> float:
    if len(measured([one, other])) < 2:
        return math.nan
    return max(abs(a - b) / abs(b) for a, b in zip(one["losses"], other["losses"], strict=True))


def by_name(results: list[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result["name"], []).append(result)
    return groups


def fastest(results: list[Result], **wanted: str) -> tuple[str, float]:
    """The fastest contender with these parts of a specification, and its tokens a second; NaN where there is none."""
    groups = by_name([result for result in measured(results) if wanted.items() <= result["spec"].items()])
    speeds = {name: tokens_per_second(group) for name, group in groups.items()}
    return max(speeds.items(), key=lambda item: item[1], default=("none", math.nan))


def table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


def bars(title: str, rows: list[list[str]]) -> str:
    return table([title, "to reach", "here", "reached"], rows)


def row(measure: str, bar: str, value: float, limit: float, form: str) -> list[str]:
    """A negative limit is a most, a positive one a least."""
    if math.isnan(value):
        return [measure, bar, "not measured", ""]
    reached = value >= limit if limit > 0 else value <= -limit
    return [measure, bar, form.format(value), "yes" if reached else "**no**"]


def reason_of(result: Result) -> str:
    return f"not measured: {result.get('failed') or result['left_out']}"


def without_figures(result: Result, num_columns: int) -> list[str]:
    return [result["name"], reason_of(result), *[""] * (num_columns - 2)]


def contenders(title: str, results: list[Result]) -> str:
    """Tokens a second of each contender, with the slowest and the fastest update, and the loss of each update."""
    header, rows = ["contender", "tokens/s, median", "updates from … to", "updates", "peak memory, GiB", "losses"], []
    for name, group in by_name(results).items():
        every = [rate for result in measured(group) for rate in rates(result)]
        if not every:
            rows.append(without_figures(group[0], len(header)))
            continue
        first = measured(group)[0]
        losses = ", ".join(f"{loss:.4f}" for loss in first["losses"])
        rows.append([name, f"{statistics.median(every):,.0f}", f"{min(every):,.0f} to {max(every):,.0f}",
                     str(len(every)), f"{first['memory_bytes'] / 2**30:,.1f}", losses])  # fmt: skip
    return f"{title}\n\n" + table(header, rows)


def training(figures: dict[str, Any]) -> str:
    finals = figures["finals"]
    ours, speed = fastest(finals, trainer="ours")
    trl, trl_speed = fastest(finals, trainer="trl")
    trainer, trainer_speed = fastest(finals, trainer="transformers")
    _, autocast_speed = fastest(finals, trainer="ours", dtype="bfloat16")
    rows = [
        row(f"{ours} against TRL's best, {trl}", ">= 3x", speed / trl_speed, 3, "{:.2f}x"),
        row(f"{ours} against {trainer}", ">= 2x", speed / trainer_speed, 2, "{:.2f}x"),
        ["autocast against autocast", "beside it", f"{autocast_speed / trainer_speed:.2f}x", ""],
    ]
    for name, group in by_name(measured(finals)).items():
        if name.startswith("ours"):
            rate = statistics.median(result["flop_per_second"] for result in group) / 1e9
            rows.append(row(f"share of {rate:,.0f} GFLOP/s, {name}", ">= 55 %", 100 * share(group), 55, "{:.0f} %"))
    plain, packed = figures["losses"]
    seconds = statistics.median(figures["launch_seconds"])
    one, two = (tokens_per_second(group) for group in figures["ranks"])
    rows += [
        row("loss against a plain float32 loop, largest relative difference", "<= 1e-4", difference(packed, plain),
            -1e-4, "{:.1e}"),
        row("launch to first update, 2 ranks", "<= 12 s", seconds, -12, "{:.1f} s"),
        row("2 ranks slower than 1, in all", "<= 20 %", 100 * (1 - two / one), -20, "{:.0f} %"),
    ]  # fmt: skip
    return "\n\n".join([
        bars("measure", rows),
        contenders("The job: 42 M parameters, 256 pairs, 64 an update.", finals),
        contenders("Heats: the same model, 48 pairs, 16 an update.", figures["heats"]),
        "On a GPU: not measured.",
    ])  # fmt: skip
