"""Start runs as separate processes, find them again, stop and remove them; never loads torch.

All state is in the run's folder: `pid.json` (process id and start time of the launcher, against reused ids),
`train.log`, `outcome.json` (how it ended, and why it failed), and `lock`, held by the training process. The launcher
has its own session: it outlives the notebook's kernel.
"""

import fcntl
import os
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from utils import files
from utils.artifacts import ROOT
from utils.config import RunConfig
from utils.errors import UserError, masked, short
from utils.runs import folders
from utils.runs.metrics import METRICS

ENDINGS = ("stopped", "failed")  # of `outcome.json`; a run is finished when it has `model`
STATES = ("new", "running", "finished", "unreadable", *ENDINGS)
LOG_TAIL_BYTES = 2**15
KEPT_SECONDS = 24 * 3600
# Rendezvous of the processes on one machine: a file that only the user can write, because its content is unpickled.
# With the default, static rendezvous, restarted processes do not find each other.
RENDEZVOUS = ("--rdzv_backend", "c10d", "--rdzv_conf", "store_type=file")
# Without host name lookup, and without a store that listens on all addresses.
RENDEZVOUS_VARIABLES = {"PET_LOCAL_ADDR": "127.0.0.1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
START_LOCK = "start.lock"  # held while a run is started, so that simultaneous starts start it once


def command(run_dir: Path, config: RunConfig) -> list[str]:
    """The command that trains in `run_dir`, to be run in the workbook's folder; the same on CPU and GPUs.

    Not covered: several machines, which need rendezvous options.
    """
    if config.num_processes < 1:
        raise UserError("num_processes is 0, which means automatic: use the number of processes in the plan.")
    launcher = [str(Path(sys.executable).with_name("accelerate")), "launch", "--use_fsdp", "--fsdp_version", "2"]
    # With efficient loading a checkpoint that lacks a key fails on every rank but the first.
    launcher += ["--fsdp_cpu_ram_efficient_loading", "false", "--num_processes", str(config.num_processes)]
    launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    launcher += [*RENDEZVOUS, "--max_restarts", str(config.max_restarts)]
    variables = [f"{name}={value}" for name, value in RENDEZVOUS_VARIABLES.items()]
    return ["env", *variables, *launcher, "-m", "utils.training", str(run_dir)]


def start(run_dir: Path, config: RunConfig, save_seconds: int = 30) -> str:
    """Start or resume the run and return its state; a running or finished run is left alone.

    `save_seconds` is the time for saving when the launcher is terminated. Raises `UserError` when the folder holds a
    run with other settings, or cannot be written.
    """
    if os.path.lexists(run_dir / "config.json"):
        recorded = RunConfig.load(run_dir / "config.json")
        # The number of processes may change: the updates stay the same.
        names = [name for name in vars(config) if name != "num_processes"]
        changed = [name for name in names if vars(recorded)[name] != vars(config)[name]]
        if changed:
            raise UserError(
                f"{run_dir} has another {', '.join(changed)}. Start a new run (FRESH=1), or use its settings."
            )
    files.make_folder(run_dir)
    with files.writing(run_dir), open(run_dir / START_LOCK, "a", opener=files.opener) as lock:
        files.lock(lock, fcntl.LOCK_EX)
        if state(run_dir) not in ("running", "finished"):
            _spawn(run_dir, config, save_seconds)
        return state(run_dir)


def _spawn(run_dir: Path, config: RunConfig, save_seconds: int) -> None:
    for leftover in ("STOP", "outcome.json"):
        files.unlink(run_dir / leftover)
    config.save(run_dir / "config.json")
    _clear_private_folder()
    descriptor, meeting_point = tempfile.mkstemp(prefix="rendezvous-", dir=files.private_folder())
    os.close(descriptor)
    environment = _environment(config, save_seconds) | {"PET_RDZV_ENDPOINT": meeting_point}
    with open(run_dir / "train.log", "a", opener=files.opener) as log:
        log.write(f"$ {shlex.join(command(run_dir, config))}\n")
        log.flush()
        process = subprocess.Popen(
            command(run_dir, config), cwd=ROOT, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    started = psutil.Process(process.pid).create_time()
    files.write_json(run_dir / "pid.json", {"pid": process.pid, "create_time": started})


def _environment(config: RunConfig, save_seconds: int) -> dict[str, str]:
    """The environment of the launcher's processes: threads per process, and allocator settings.

    By default glibc returns large blocks to the system at once, and new pages cost 5 to 10 % on a CPU.
    """
    threads = max(1, (os.cpu_count() or 1) // config.num_processes)
    defaults = {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    defaults["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] = str(save_seconds)
    if config.num_processes > 1:
        # Spinning threads would take the cores from other processes.
        defaults["OMP_WAIT_POLICY"] = "passive"
    # Tensors in huge pages where available: 10 % faster on a CPU.
    defaults["THP_MEM_ALLOC_ENABLE"] = "1"
    # oneDNN caches a primitive per shape, and blocks have many shapes: gigabytes without a limit.
    defaults |= {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "16"}
    # Less fragmentation of GPU memory with tensors of many sizes.
    defaults["PYTORCH_ALLOC_CONF"] = "expandable_segments:True"
    malloc = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40), "MALLOC_TOP_PAD_": str(2**28)}
    return defaults | malloc | {"TORCH_CPP_LOG_LEVEL": "ERROR"} | os.environ


def _clear_private_folder() -> None:
    """Delete the files of runs that ended a day ago; live runs touch theirs every few seconds."""
    for path in files.private_folder().glob("[0-9r]*"):  # of heartbeats or rendezvous
        with suppress(FileNotFoundError):  # removed by another start
            parts = [path, *path.iterdir()] if path.is_dir() else [path]
            if time.time() - max(map(folders.written_at, parts)) > KEPT_SECONDS:
                files.remove(path)


def launcher(run_dir: Path) -> psutil.Process | None:
    """The launcher's process, or None when it has ended."""
    # Without a record of a process: `OverflowError` and `ValueError` for a number that is no process id.
    with suppress(FileNotFoundError, UserError, psutil.Error, OverflowError, ValueError):
        recorded = files.read_json(run_dir / "pid.json", {"pid": int, "create_time": files.NUMBER})
        process = psutil.Process(recorded["pid"])
        if process.create_time() == recorded["create_time"] and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock of the folder: it trains the run, or runs the sweep."""
    with suppress(OSError, UserError), open(folder / "lock", opener=files.opener) as file:
        try:
            files.lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that concurrent callers both get it
        except BlockingIOError:
            return True
    return False


def state(run_dir: Path) -> str:
    """One of `STATES`. Not covered: a run started by hand, in the seconds before it takes its lock."""
    if launcher(run_dir) is not None or is_locked(run_dir):
        return "running"
    if not os.path.lexists(run_dir / "config.json"):
        return "new"
    if fault(run_dir):
        return "unreadable"
    if os.path.lexists(run_dir / "model"):
        return "finished"
    return _outcome(run_dir)["outcome"]


def fault(run_dir: Path) -> str:
    """Why a run's settings cannot be read, or ""."""
    try:
        RunConfig.load(run_dir / "config.json")
    except UserError as error:
        return str(error)
    return ""


def _outcome(run_dir: Path) -> dict[str, Any]:
    """`outcome`, one of `ENDINGS`, and `reason`; an unreadable file is the reason for a failure."""
    path = run_dir / "outcome.json"
    try:
        recorded = files.read_json(path, {"outcome": str, "reason": str | None})
        if recorded["outcome"] not in ENDINGS:
            raise UserError(
                f"{path} says {short(recorded['outcome'])}, but {run_dir / 'model'} is missing. Resume the run, or put "
                "its model back."
            )
        return recorded
    except FileNotFoundError:
        return {"outcome": "failed"}
    except UserError as error:
        return {"outcome": "failed", "reason": str(error)}


def phase(run_dir: Path) -> str:
    """As `state`, with more detail: a running run is `starting`, `training`, `saving` or `stopping`."""
    now = state(run_dir)
    if now != "running":
        return now
    if (run_dir / "model.tmp").exists():
        return "saving"
    if (run_dir / "STOP").exists():
        return "stopping"
    # A resumed run keeps its metrics; the first new line means that it trains again.
    started = max(folders.written_at(run_dir / name) for name in ("pid.json", "lock"))
    with suppress(OSError):
        found = (run_dir / METRICS).stat()
        if found.st_size and found.st_mtime > started:
            return "training"
    return "starting"


def remove(run_dir: Path) -> None:
    """Delete a run's folder; of a symbolic link only the link.

    Raises `UserError` for a running run and a folder that is not a run.
    """
    if state(run_dir) == "running":
        raise UserError(f"{run_dir.name} is running: stop it first.")
    if not os.path.lexists(run_dir / "config.json"):
        raise UserError(f"{run_dir} is not a run: it has no config.json.")
    # Renamed first: a partly deleted folder must not look like a run.
    aside = run_dir.with_name(f".{run_dir.name}.removed")
    with files.writing(run_dir):
        files.remove(aside)  # left by an interrupted removal
        run_dir.rename(aside)
        files.remove(aside)


def failure(run_dir: Path) -> str:
    """Why a run failed or is unreadable: the fault, its reported reason, else the end of its log."""
    if not run_dir.exists():
        return f"{run_dir} is gone: it was removed, renamed or unmounted."
    tail = f"the end of {run_dir / 'train.log'}:\n{log_tail(run_dir)}"
    return fault(run_dir) or masked(_outcome(run_dir).get("reason") or tail)


def stop(run_dir: Path) -> None:
    """Ask a run to save a checkpoint after the current update and stop; `start` resumes it."""
    files.write_text(run_dir / "STOP", "")


def log_tail(run_dir: Path, num_lines: int = 20, name: str = "train.log") -> str:
    """The last lines of a log, of its last `LOG_TAIL_BYTES`."""
    try:
        with open(run_dir / name, "rb", opener=files.opener) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    except (OSError, UserError) as error:
        return str(error)
    return masked("\n".join(lines[-num_lines:]))
