"""The panels part of `make bench`: what a long run costs who looks at it."""

import asyncio
import time
from pathlib import Path

import psutil

from benchmarks import table
from utils import artifacts, files
from utils.config import RunConfig
from utils.runs import curves, diagnostics, folders, launch, metrics
from utils.widgets.run_panel import RunPanel

NUM_LINES, WATCH_SECONDS = 100_000, 20.0


def compare(data_dir: Path, num_lines: int = NUM_LINES, watch_seconds: float = WATCH_SECONDS) -> list[list[str]]:
    """Notebook 04 on a run with many lines of metrics, and the share of a core that its live panel takes."""
    config = RunConfig.from_preset("tiny", num_processes=1)
    run_dir = long_run(folders.new_run_dir(data_dir, config), config, num_lines)
    start = time.perf_counter()
    run = curves.Run.load(run_dir)
    for figure in (curves.compare([run], smoothing=0.8), curves.details([run], smoothing=0.8)):
        figure._repr_html_()
    diagnostics.read([*run.train, *run.evals], config)
    curves.summary([run])
    seconds = time.perf_counter() - start
    share = asyncio.run(watched(data_dir, run_dir, config, watch_seconds))
    row = table.row
    return [
        row(f"04 draws {num_lines:,} lines of metrics", "<= 3 s", seconds, -3, "{:.2f} s"),
        row("the live panel on them, of one core", "<= 10 %", 100 * share, -10, "{:.1f} %"),
    ]


async def watched(data_dir: Path, run_dir: Path, config: RunConfig, watch_seconds: float) -> float:
    """The share of a core that the panel takes while the run writes ten lines a second; this process is the run."""
    this = psutil.Process()
    files.write_json(run_dir / "pid.json", {"pid": this.pid, "create_time": this.create_time()})
    assert launch.state(run_dir) == "running"
    RunPanel(data_dir, config)
    start, begun, step = time.process_time(), time.monotonic(), metrics.read(run_dir)[-1]["step"]
    start = time.process_time()
    while time.monotonic() < begun + watch_seconds:
        step += 1
        metrics.append(run_dir, line(step))
        await asyncio.sleep(0.1)
    share = (time.process_time() - start) / (time.monotonic() - begun)
    (run_dir / "pid.json").unlink()
    await asyncio.sleep(1)  # the panel sees that it has ended
    return share


def long_run(run_dir: Path, config: RunConfig, num_lines: int) -> Path:
    run_dir.mkdir(parents=True)
    config.save(run_dir / "config.json")
    files.write_json(run_dir / artifacts.MANIFEST, {"inputs": {}, "facts": {"num_updates": 2 * num_lines}})
    for step in range(1, num_lines + 1):
        metrics.append(run_dir, line(step))
    return run_dir


def line(step: int) -> dict:
    loss = 2 + 6 / step**0.3 + 0.1 * ((step * 7919) % 100) / 100
    place = dict(step=step, epoch=step / 1000, total_tokens=4000 * step, seconds=0.5 * step)
    if step % 1000 == 0:
        return dict(kind="eval", eval_loss=loss, num_target_tokens=5000, eval_seconds=1.0, **place)
    figures = dict(loss=loss, learning_rate=1e-3, grad_norm=1.0, tokens_per_second=8000.0, mfu=0.5)
    return dict(kind="train", **figures, num_tokens=4000, num_target_tokens=3000, memory_bytes=2**30, **place)
