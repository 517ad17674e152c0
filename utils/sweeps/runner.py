"""The process that trains the runs of a sweep one after the other: `python -m utils.sweeps data/sweeps/<name>`.

It decides from the files alone, so it can be killed and started again at any time. A run that was killed resumes from
its newest checkpoint, one that still trains is followed, and a finished run is never started again.
"""

import fcntl
import time
from collections import Counter
from pathlib import Path
from typing import IO

from utils import files
from utils.errors import UserError
from utils.runs import launch, metrics
from utils.sweeps import held_out, queue
from utils.sweeps.halving import unfinished

POLL_SECONDS = 0.5
MAX_STARTS = 3  # of a run without any new update


def work(sweep: queue.Sweep) -> None:
    """Train until every run is decided, and score the winner; or until the sweep is paused.

    Raises `UserError` when another runner works, and for files that cannot be read.
    """
    starts: Counter[tuple[int, int]] = Counter()  # by run and its updates
    with queue.working(sweep) as lock:
        while True:
            running, wanted = _situation(sweep)
            for number in set(running) - set(wanted):
                _pause(sweep.run_dir(number))
            if running or (wanted and sweep.other_run()):  # which would share the cores or the GPU's memory
                time.sleep(POLL_SECONDS)
            elif wanted:
                _start(sweep, wanted[0], starts)
            elif not held_out.score_winner(sweep) and _ends(sweep, lock):
                return


def _situation(sweep: queue.Sweep) -> tuple[list[int], list[int]]:
    """The runs that train now, and those to train further; none where the sweep is paused."""
    runs = sweep.progress()
    wanted = [] if sweep.is_paused else unfinished(runs, sweep.is_halving)
    return [run.number for run in runs if run.state in ("running", "stopping")], wanted


def _ends(sweep: queue.Sweep, lock: IO) -> bool:
    """Whether nothing is left; then the runner's lock is released, so that a run added later starts another runner."""
    with queue.changing(sweep.data_dir):
        if not (is_left := any(_situation(sweep))):
            files.lock(lock, fcntl.LOCK_UN)
        return not is_left


def _start(sweep: queue.Sweep, number: int, starts: Counter) -> None:
    run_dir, trial = sweep.run_dir(number), sweep.trials()[number]
    lines = metrics.read(run_dir)
    starts[number, step := max((line["step"] for line in lines), default=0)] += 1
    try:
        if starts[number, step] > MAX_STARTS:
            raise UserError(f"it was started {MAX_STARTS} times and ended without an update each time: see its log")
        print(time.strftime("%H:%M:%S"), f"{run_dir.name} from update {step:,}", flush=True)
        launch.start(run_dir, trial.config, trial.save_seconds)
        if not trial.was_started:
            sweep.change(number, was_started=True)
    except UserError as error:
        print(f"{run_dir.name} cannot start: {error}", flush=True)
        sweep.change(number, fault=str(error))


def _pause(run_dir: Path) -> None:
    if not (run_dir / "STOP").exists():
        print(time.strftime("%H:%M:%S"), f"{run_dir.name} pauses", flush=True)
        files.write_text(run_dir / "STOP", queue.PAUSED)
