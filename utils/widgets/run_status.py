"""The status of a run as HTML: phase, newest metrics, samples; and as a line of plain text."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from utils import artifacts, files
from utils.hardware import format_bytes
from utils.planning import timing
from utils.runs import launch, metrics
from utils.widgets.html import LINE, escape, pre

# Each phase, and what can be done.
PHASES = {
    "new": "○ new: not started yet.",
    "starting": "◔ starting: the processes load torch, model and tokens.",
    "training": "▶ training.",
    "stopping": "◧ stopping: saves a checkpoint after the current update.",
    "saving": "◧ saving the model.",
    "stopped": "■ stopped: a checkpoint is saved. Resume continues from it.",
    "finished": "✔ finished: the tuned model is in the run's folder.",
    "unreadable": "✘ unreadable. Correct or move the file named below, or remove the run.",
    "failed": "✘ failed. Fix the problem below, then Resume: it continues from the newest checkpoint.",
}
COLUMNS = "display: grid; grid-template-columns: repeat(auto-fit, minmax(18em, 1fr)); gap: 8px; margin: 4px"


def phase_html(run_dir: Path, phase: str, records: Sequence[dict[str, Any]]) -> str:
    """The run's phase, progress and remaining time, or why it failed."""
    text, total = PHASES[phase], num_updates(run_dir)
    if phase in ("training", "stopping") and records and total:
        text += f" Update {records[-1]['step']:,} of {total:,}"
        left = timing.seconds_left(records, total)
        text += f", about {_duration(left)} left." if left is not None else "."
    why = pre(launch.failure(run_dir)) if phase in ("failed", "unreadable") else ""
    return f'<p role="status" style="{LINE}"><b>{escape(run_dir.name)}</b> {escape(text)}</p>{why}'


def numbers(train: Sequence[dict[str, Any]], evals: Sequence[dict[str, Any]]) -> str:
    """The newest metrics of a run, side by side."""
    shown = []
    if train:
        newest = train[-1]
        shown = [
            ("training loss", f"{newest['loss']:.3f} nats"),
            ("learning rate", f"{newest['learning_rate']:.2e}"),
            ("gradient norm", f"{newest['grad_norm']:.2f}"),
            ("speed", f"{newest['tokens_per_second']:,.0f} tokens/s"),
            ("memory of a process", format_bytes(newest["memory_bytes"])),
        ]
    if evals:
        shown.insert(1, ("validation loss", f"{evals[-1]['eval_loss']:.3f} nats"))
    cells = "".join(
        f'<div><div style="opacity: 0.75">{escape(name)}</div><b>{escape(value)}</b></div>' for name, value in shown
    )
    return f'<div style="{LINE}display: flex; flex-wrap: wrap; gap: 4px 28px">{cells}</div>'


def samples(records: Sequence[dict[str, Any]]) -> str:
    """The samples of one evaluation: prompt, answer, and the pair's own response."""
    if not records:
        return f'<p style="{LINE}">None yet: samples are written at every evaluation.</p>'
    rows = []
    for record in records:
        titles = ("prompt", f"answer, ended by {record['reason']}", "the pair's own response")
        texts = (record["prompt"], record["answer"], record["response"])
        cells = zip(titles, texts, strict=True)
        row = "".join(f'<div><b style="{LINE}">{escape(title)}</b>{pre(text)}</div>' for title, text in cells)
        rows.append(f'<div style="{COLUMNS}">{row}</div>')
    return "<hr>".join(rows)


def status(run_dir: Path) -> str:
    """One line of plain text: state, progress, newest losses, speed, remaining time."""
    records, state = metrics.read(run_dir), launch.state(run_dir)
    train, evals = metrics.train_lines(records), metrics.eval_lines(records)
    parts = [state]
    if train:
        parts += [f"update {train[-1]['step']} of {num_updates(run_dir)}", f"training loss {train[-1]['loss']:.3f}"]
    if evals:
        parts.append(f"validation loss {evals[-1]['eval_loss']:.3f}")
    if train:
        parts.append(f"{train[-1]['tokens_per_second']:,.0f} tokens/s")
    left = timing.seconds_left(records, num_updates(run_dir)) if state == "running" else None
    if left is not None:
        parts.append(f"about {_duration(left)} left")
    return " · ".join(parts)


def num_updates(run_dir: Path) -> int:
    """The number of updates of the whole run, from its manifest; 0 before it started."""
    number = (artifacts.read_manifest(run_dir) or {}).get("facts", {}).get("num_updates")
    return 0 if files.misfit(number, int) else number


def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=round(min(seconds, 1e9)))
