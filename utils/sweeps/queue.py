"""The files of a sweep, below `data/sweeps/<name>/`; never loads torch.

    sweep.json          the settings that its runs start from, and whether runs are stopped early
    trials/0001.json    a run: its settings, what differs, and whether a person stopped it
    score.json          the winner, scored again (see `held_out`)
    lock sweep.log STOP the runner: held while it works, what it did, and the request to pause

How far a run is, its own folder says, `data/runs/<name>-01`: nothing is recorded twice, so that nothing disagrees after
a crash. Every file is written atomically, and changed only under a lock.
"""

import fcntl
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from utils import artifacts, files
from utils.config import RunConfig
from utils.errors import UserError
from utils.runs import folders, launch, metrics
from utils.sweeps.halving import Progress, unfinished

SWEEP, SCORE, LOG = "sweep.json", "score.json", "sweep.log"
PAUSED = "paused by its sweep"  # in a run's STOP file; that of a person is empty
# What decides, besides the token rows, whether two validation losses at one step can be compared: the schedule, and
# which rows are validated.
COMPARABLE = (
    *("model_name_or_path", "pairs", "template", "max_length", "max_train_samples", "max_eval_samples", "seed"),
    *("num_train_epochs", "train_batch_size", "lr_scheduler_type", "warmup_steps", "early_stopping_patience"),
    "eval_steps",
)


@dataclass(frozen=True)
class Trial:
    """A run of a sweep: its settings, what of them is swept, and what its plan says; `fault`: why it cannot start."""

    config: RunConfig
    changes: dict[str, Any]
    num_updates: int
    save_seconds: int
    is_stopped: bool = False
    was_started: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Sweep:
    """A sweep, by its folder."""

    folder: Path

    @property
    def data_dir(self) -> Path:
        return self.folder.parents[1]

    @property
    def base(self) -> RunConfig:
        """The settings that its runs start from; raises `UserError` when they cannot be read."""
        return RunConfig().with_changes(**self._read()["base"])

    @property
    def is_halving(self) -> bool:
        return self._read()["is_halving"]

    def _read(self) -> dict[str, Any]:
        return files.read_json(self.folder / SWEEP, {"base": {}, "is_halving": bool})

    def run_dir(self, number: int) -> Path:
        return self.data_dir / "runs" / f"{self.folder.name}-{number:02}"

    def trials(self) -> dict[int, Trial]:
        """The runs by number; raises `UserError` for a file that is none."""
        return {int(path.stem): _trial(path) for path in sorted((self.folder / "trials").glob("[0-9]*.json"))}

    def add(self, trials: Iterable[Trial]) -> None:
        """Append runs to the queue."""
        with changing(self.data_dir):
            files.make_folder(self.folder / "trials")
            for number, trial in enumerate(trials, start=max(self.trials(), default=0) + 1):
                self._write(number, trial)

    def change(self, number: int, **changes: Any) -> None:
        """Change fields of a trial, such as `is_stopped`."""
        with changing(self.data_dir):
            self._write(number, replace(self.trials()[number], **changes))

    def settings(self, number: int) -> RunConfig:
        """The settings of a run without what the sweep changed: it validates fewer pairs."""
        return self.trials()[number].config.with_changes(max_eval_samples=self.base.max_eval_samples)

    def stop(self, number: int) -> None:
        """Take a run out of the queue; one that is running saves a checkpoint and stops."""
        self.change(number, is_stopped=True)
        if launch.state(self.run_dir(number)) == "running":
            launch.stop(self.run_dir(number))

    def _write(self, number: int, trial: Trial) -> None:
        files.write_json(self.folder / "trials" / f"{number:04}.json", asdict(trial))

    def progress(self) -> list[Progress]:
        """How far each run is."""
        return [self._progress(number, trial) for number, trial in self.trials().items()]

    def _progress(self, number: int, trial: Trial) -> Progress:
        run_dir, config = self.run_dir(number), trial.config
        state = launch.state(run_dir)
        written = [folders.written_at(run_dir / name) for name in ("outcome.json", metrics.METRICS)]
        if state == "failed" and written[0] <= written[1]:  # a reason that is older is of a process that was restarted
            state = "stopped"  # killed: it can be resumed
        try:
            losses = {line["step"]: line["eval_loss"] for line in lines(run_dir) if line["kind"] == "eval"}
        except UserError:  # a damaged file ends this run, not the sweep
            losses, state = {}, state if state == "running" else "unreadable"
        if trial.fault or state == "unreadable":
            state = "failed"
        elif state == "new" and trial.was_started:
            state = "removed"
        elif trial.is_stopped and state != "finished":
            state = "stopping" if state == "running" else "stopped"
        elif state == "new" or (state == "stopped" and not _stopped_by_a_person(run_dir)):
            state = "waiting"
        # As recorded by the run, since notebook 02 may have made other token rows meanwhile.
        made_from = artifacts.read_manifest(run_dir) or {}
        tokens_dir = artifacts.tokens_dir(self.data_dir, config)
        tokens = made_from.get("inputs") or artifacts.require(tokens_dir, "02_alpaca_format")["files"]
        alike = (*sorted(tokens.items()), *group(trial))
        return Progress(number, alike, trial.num_updates, config.eval_steps, losses, state)

    def unfinished(self) -> list[int]:
        """The numbers of the runs to train further, in order."""
        return unfinished(self.progress(), self.is_halving)

    @property
    def is_running(self) -> bool:
        """Whether its runner works."""
        return launch.is_locked(self.folder)

    @property
    def is_paused(self) -> bool:
        return (self.folder / "STOP").exists()

    def start(self) -> None:
        """Start the runner in a session of its own, or leave it alone where it works.

        Raises `UserError` when the runner of another sweep works, or this one ends with an error.
        """
        with changing(self.data_dir):
            if self.is_running:
                return
            if other := running(self.data_dir):
                raise UserError(f"{other.folder.name} is running: wait for its end, or pause it first.")
            files.unlink(self.folder / "STOP")
            with open(self.folder / LOG, "a", opener=files.opener) as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "utils.sweeps", str(self.folder)], cwd=artifacts.ROOT,
                    start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                )  # fmt: skip
            while process.poll() is None and not self.is_running:
                time.sleep(0.05)
        if process.poll():
            raise UserError(f"the sweep did not start: {launch.log_tail(self.folder, name=LOG)}")

    def other_run(self) -> str:
        """The name of a run outside the sweep that trains, whose end the sweep waits for, or ""."""
        own = {self.run_dir(number) for number in self.trials()}
        others = (path for path in folders.runs(self.data_dir) if path not in own)
        return next((path.name for path in others if launch.state(path) == "running"), "")

    def remove(self) -> None:
        """Delete the sweep with its runs; raises `UserError` while one of them or the sweep is running."""
        with changing(self.data_dir):
            if self.is_running:
                raise UserError(f"{self.folder.name} is running: pause it first.")
            for run_dir in map(self.run_dir, self.trials()):
                if run_dir.exists():
                    launch.remove(run_dir)
            files.remove(self.folder)

    def pause(self) -> None:
        """Ask the runner to stop its run, which saves a checkpoint, and to end; `start` resumes."""
        files.write_text(self.folder / "STOP", "")


def group(trial: Trial) -> tuple:
    """What runs must have in common, besides their token rows, to be compared at the same update."""
    return trial.num_updates, *(getattr(trial.config, name) for name in COMPARABLE)


def _trial(path: Path) -> Trial:
    wanted: dict[str, Any] = {"config": {}, "changes": {}, "num_updates": int, "save_seconds": int, "fault": str}
    wanted |= {"is_stopped": bool, "was_started": bool}
    values = files.read_json(path, wanted)
    config = RunConfig().with_changes(**values["config"])
    return Trial(config, **{name: values[name] for name in wanted if name != "config"})


def lines(run_dir: Path) -> list[dict[str, Any]]:
    """The evaluations and pass rates of a run; a runner asks often, so only a file that changed is read again."""
    try:
        found = (run_dir / metrics.METRICS).stat()
    except FileNotFoundError:
        return []
    return _lines(run_dir, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _lines(run_dir: Path, changed: int, size: int) -> list[dict[str, Any]]:
    return [line for line in metrics.read(run_dir) if line["kind"] != "train"]


def _stopped_by_a_person(run_dir: Path) -> bool:
    path = run_dir / "STOP"
    return path.exists() and files.read_bytes(path, 100) != PAUSED.encode()


def sweeps(data_dir: Path) -> list[Sweep]:
    """Every sweep of the data folder, the newest first."""
    found = [path.parent for path in (Path(data_dir) / "sweeps").glob(f"*/{SWEEP}")]
    return [Sweep(path) for path in sorted(found, key=lambda path: folders.written_at(path / SWEEP), reverse=True)]


def running(data_dir: Path) -> Sweep | None:
    """The sweep that is running, if one is."""
    return next((sweep for sweep in sweeps(data_dir) if sweep.is_running), None)


def create(data_dir: Path, base: RunConfig, trials: Iterable[Trial], is_halving: bool = True) -> Sweep:
    """A new sweep `sweep-N`, of a number that neither a sweep nor a run has."""
    data_dir = Path(data_dir)
    with changing(data_dir):
        used = [*data_dir.glob("sweeps/sweep-*"), *data_dir.glob("runs/sweep-*")]
        numbers = [path.name.split("-")[1] for path in used]
        number = max([int(number) for number in numbers if number.isdecimal()], default=0) + 1
        folder = data_dir / "sweeps" / f"sweep-{number}"
        files.make_folder(folder)
        files.write_json(folder / SWEEP, {"base": asdict(base), "is_halving": is_halving})
    sweep = Sweep(folder)
    sweep.add(trials)
    return sweep


@contextmanager
def changing(data_dir: Path) -> Generator[None]:
    """Hold the lock of all sweeps of a data folder."""
    folder = Path(data_dir) / "sweeps"
    files.make_folder(folder)
    with files.writing(folder), open(folder / "lock", "a", opener=files.opener) as lock:
        files.lock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def working(sweep: Sweep) -> Generator[IO]:
    """Hold the lock of a sweep's runner, and yield its file; raises `UserError` when another one holds it."""
    with open(sweep.folder / "lock", "a", opener=files.opener) as lock:
        for wait in (0.1, 0.2, 0.5, 0):  # `is_running` takes it for a moment
            try:
                files.lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(wait)
        else:
            raise UserError(f"{sweep.folder.name} is running already.")
        yield lock
