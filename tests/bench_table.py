"""What `make bench` prints: the figures beside the bars they are to reach."""

import os
import platform
import statistics
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

RECIPE_TOKENS = 3 * 714_480  # 4,535 pairs, three epochs
WARM_UP_UPDATES = 4
PARTS = ("data", "answers", "panels", "playground", "attribution", "decoding")  # besides training: a table of rows each
Result = dict[str, Any]


def name_of(spec: dict[str, Any]) -> str:
    named = [spec[key] for key in ("trainer", "layout", "dtype") if key in spec]
    return " ".join(map(str, [*named, *spec.get("settings", {}).values()]))


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("torch", "transformers", "accelerate", "trl", "datasets", "tokenizers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} CPU cores, {torch.backends.cpu.get_cpu_capability()}"


def rates(result: Result, warm_up: int = 1) -> list[float]:
    """Tokens a second, without padding, of every update after the first ones."""
    times, tokens = result["times"][warm_up - 1 :], result["num_tokens"][warm_up:]
    return [count / (end - start) for count, start, end in zip(tokens, times[:-1], times[1:], strict=True)]


def tokens_per_second(results: list[Result], warm_up: int = 1) -> float:
    """The median over the updates of all these runs."""
    return statistics.median(rate for result in results for rate in rates(result, warm_up))


def share(results: list[Result], warm_up: int = 1) -> float:
    """The part of the matrix rate that the needed operations reach: the median over the runs."""
    shares = []
    for result in results:
        seconds = result["times"][-1] - result["times"][warm_up - 1]
        shares.append(sum(result["flop"][warm_up:]) / seconds / result["flop_per_second"])
    return statistics.median(shares)


def difference(one: Result, other: Result) -> float:
    """The largest relative difference of the losses, update by update."""
    return max(abs(a - b) / abs(b) for a, b in zip(one["losses"], other["losses"], strict=True))


def by_name(results: list[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result["name"], []).append(result)
    return groups


def fastest(groups: dict[str, list[Result]], trainer: str) -> str:
    return max((name for name in groups if name.split()[0] == trainer), key=lambda n: tokens_per_second(groups[n]))


def table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


def contenders(title: str, results: list[Result]) -> str:
    """Tokens a second of each contender, with the slowest and the fastest update, and the loss of each update."""
    rows = []
    for name, group in by_name(results).items():
        every = [rate for result in group for rate in rates(result)]
        losses = ", ".join(f"{loss:.4f}" for loss in group[0]["losses"])
        rows.append([name, f"{statistics.median(every):,.0f}", f"{min(every):,.0f} to {max(every):,.0f}",
                     str(len(every)), losses])  # fmt: skip
    return f"{title}\n\n" + table(["contender", "tokens/s, median", "updates from … to", "updates", "losses"], rows)


def bars(figures: dict[str, Any]) -> list[list[str]]:
    """Each measure, what is to be reached, and what was."""
    groups = by_name(figures["finals"])
    speed = {name: tokens_per_second(group) for name, group in groups.items()}
    ours, trl, trainer = (fastest(groups, name) for name in ("ours", "trl", "transformers"))
    rows = [
        _row(f"{ours} against TRL's best, {trl}", ">= 3x", speed[ours] / speed[trl], 3, "{:.2f}x"),
        _row(f"{ours} against {trainer}", ">= 2x", speed[ours] / speed[trainer], 2, "{:.2f}x"),
        ["autocast against autocast", "beside it", f"{speed['ours bfloat16'] / speed[trainer]:.2f}x", ""],
    ]
    for name, group in groups.items():
        if name.startswith("ours"):
            rate = statistics.median(result["flop_per_second"] for result in group) / 1e9
            rows.append(_row(f"share of {rate:,.0f} GFLOP/s, {name}", ">= 55 %", 100 * share(group), 55, "{:.0f} %"))
    plain, packed = figures["losses"]
    rows.append(_row(
        f"loss against a plain float32 loop, {len(plain['losses'])} updates, largest relative difference",
        "<= 1e-4", difference(packed, plain), -1e-4, "{:.1e}",
    ))  # fmt: skip
    if "launch_seconds" in figures:
        seconds = statistics.median(figures["launch_seconds"])
        rows.append(_row("launch to first update, 2 ranks", "<= 12 s", seconds, -12, "{:.1f} s"))
    if "ranks" in figures:
        one, two = (tokens_per_second(group) for group in figures["ranks"])
        rows.append(_row("2 ranks slower than 1, in all", "<= 20 %", 100 * (1 - two / one), -20, "{:.0f} %"))
    return rows


def _row(measure: str, bar: str, value: float, limit: float, form: str) -> list[str]:
    """A negative limit is a most, a positive one a least."""
    reached = value >= limit if limit > 0 else value <= -limit
    return [measure, bar, form.format(value), "yes" if reached else "**no**"]


def of_model(figures: dict[str, Any]) -> str:
    """A real shape on one device: memory, share of the machine, and the recipe extrapolated."""
    rows = []
    for result in figures["model"]:
        rate = tokens_per_second([result], WARM_UP_UPDATES)
        rows.append([
            figures["shape"], result["name"].removeprefix("ours "),
            str(len(rates(result, WARM_UP_UPDATES))), f"{rate:,.0f}",
            f"{result['flop_per_second'] / 1e12:,.2f}", f"{100 * share([result], WARM_UP_UPDATES):.0f} %",
            f"{result['memory_bytes'] / 2**30:,.1f}", f"{result['planned_bytes'] / 2**30:,.1f}",
            f"{RECIPE_TOKENS / rate:,.0f} (extrapolated)",
        ])  # fmt: skip
    header = ["model", "trained with", "steady updates", "tokens/s", "matrix rate, TFLOP/s", "share of it",
              "peak memory, GiB", "planned, GiB", "the whole recipe, s"]  # fmt: skip
    return table(header, rows)


def markdown(figures: dict[str, Any]) -> str:
    """The report of a run of the bench."""
    parts = [f"Machine: {figures['machine']}. " + ", ".join(f"{k} {v}" for k, v in figures["versions"].items()) + "."]
    if "finals" in figures:
        threads = figures["finals"][0]["num_threads"]
        parts[0] += f" {threads} torch threads each."
        parts.append(table(["measure", "to reach", "here", "reached"], bars(figures)))
        parts.append(contenders("The job: 42 M parameters, 256 pairs, 64 an update.", figures["finals"]))
    if "heats" in figures:
        parts.append(contenders("Heats: the same model, 48 pairs, 16 an update.", figures["heats"]))
    for part in PARTS:
        if part in figures:
            parts.append(table([part, "to reach", "here", "reached"], figures[part]))
    parts.append(of_model(figures) if figures.get("model") else "On a GPU: not measured.")
    return "\n\n".join(parts) + "\n"
