"""Distributed processes: this process's rank, collectives, stop requests, and failure reports."""

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import torch
import torch.distributed as dist

from utils import files
from utils.artifacts import read_json
from utils.errors import UserError, masked
from utils.training.rendezvous import Heartbeat, launcher_pid, meet, refuse_open_launcher


@dataclass(frozen=True)
class Ranks:
    """This process's rank, and collectives with the others."""

    rank: int = 0
    num_ranks: int = 1
    device: torch.device = torch.device("cpu")
    heartbeat: Heartbeat | None = None

    @classmethod
    def join(cls) -> "Ranks":
        """Read the launcher's environment and, with several processes, initialize the process group.

        Raises `UserError` when the launcher or the group would listen on all addresses, and the errors of
        `rendezvous.meet`. Exits when another process does not join within `JOIN_SECONDS`.
        """
        num_ranks, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        device = torch.device("cpu")
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(device)
        refuse_open_launcher()
        if num_ranks == 1:
            return cls(rank, num_ranks, device)
        store, beats = meet(rank)
        heartbeat = Heartbeat(rank, num_ranks, beats)
        # Long, because dead processes are detected by the heartbeat, and a save may be slow.
        backend, timeout = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timedelta(hours=2)
        dist.init_process_group(backend, store=store, rank=rank, world_size=num_ranks, timeout=timeout)
        store.set_timeout(timeout)  # NCCL uses it again at the first collective
        return cls(rank, num_ranks, device, heartbeat)

    def leave(self) -> None:
        if self.heartbeat:
            self.heartbeat.stop()
            self.barrier()
            dist.destroy_process_group()

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def reduce(self, values: list[float], operation=dist.ReduceOp.SUM) -> list[float]:
        """All-reduce each value over the ranks, in float64."""
        if self.num_ranks == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor, operation)
        return tensor.tolist()

    def average(self, tensor: torch.Tensor) -> None:
        """Average a tensor over the ranks, in place."""
        if self.num_ranks > 1:
            dist.all_reduce(tensor)
            tensor /= self.num_ranks

    def from_first(self, value: Any) -> Any:
        """Broadcast a JSON value from rank 0; as text, so that nothing is unpickled."""
        if self.num_ranks == 1:
            return value
        text = json.dumps(value).encode() if self.is_first else b""
        num_bytes = torch.tensor(len(text), device=self.device)
        dist.broadcast(num_bytes, src=0)
        content = torch.zeros(int(num_bytes), dtype=torch.uint8)
        if self.is_first:
            content = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        content = content.to(self.device)
        dist.broadcast(content, src=0)
        return json.loads(content.cpu().numpy().tobytes())

    def barrier(self) -> None:
        if self.num_ranks > 1:
            dist.barrier()

    def log(self, message: str) -> None:
        if self.is_first:
            print(time.strftime("%H:%M:%S"), message, flush=True)


@dataclass
class StopRequest:
    """Whether the run should save and stop: a file `STOP` in its folder, SIGTERM or SIGINT, or a dead launcher."""

    run_dir: Path
    signals: list[int] = field(default_factory=list)
    launcher_pid: int | None = field(default_factory=launcher_pid)

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self.signals.append(number))

    @property
    def is_made(self) -> bool:
        is_orphan = self.launcher_pid not in (None, os.getppid())
        return bool(self.signals) or is_orphan or (self.run_dir / "STOP").exists()


class InUse(UserError):
    """Another process trains in the run's folder."""


@contextlib.contextmanager
def only_one(run_dir: Path, ranks: Ranks):
    """Hold the run's folder while training; raises `InUse` when another process trains in it."""
    with open(run_dir / "lock", "a", opener=files.opener) as file:
        for is_last in (False, True) if ranks.is_first else ():
            try:
                files.lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.utime(file.fileno())  # the start time, for `launch.phase`
                break
            except BlockingIOError:
                if is_last:
                    raise InUse(f"{run_dir} is being trained by another process: wait for it, or stop it.") from None
                time.sleep(1.0)  # `launch.state` takes it for a moment
        yield


def report_failure(run_dir: Path, error: Exception) -> int:
    """Print why this process failed, write it to `outcome.json`, and return its exit status.

    Of several processes the reason of the first to fail is kept: the others only lose contact. Errors that would repeat
    (`UserError`, `IndexError` and the like) also terminate the launcher; after a `RuntimeError` or `OSError`, caused by
    a lost device, peer or file, it may restart all processes. Not covered: launchers on other machines, which wait as
    long as torchrun does.
    """
    error = files.explained(error, run_dir / "train.log") or error
    reason = str(error)
    if isinstance(error, UserError):
        text = f"error: {error}\n"
    else:
        text = masked("".join(traceback.format_exception(error)))
        place = traceback.extract_tb(error.__traceback__)[-1]
        rank = os.environ.get("RANK", "0")
        reason = masked(f"rank {rank}: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})")
        if _a_peer_has_ended():
            reason = (
                "another process of the run ended: it was killed, usually because memory ran out, or lost contact; "
                f"see the end of train.log. Then {reason}"
            )
    with contextlib.suppress(OSError):  # of train.log, too
        print(text, end="", file=sys.stderr, flush=True)
    variables = (os.environ.get(name, "") for name in ("MASTER_PORT", "TORCHELASTIC_RESTART_COUNT"))
    start = ":".join([str(os.getppid()), *variables])
    path = run_dir / "outcome.json"
    recorded = read_json(path)
    if not (launcher_pid() and isinstance(recorded, dict) and recorded.get("start") == start):
        with contextlib.suppress(OSError, UserError):  # no folder, a full disk, or not a file
            if not isinstance(error, InUse):
                files.write_json(path, {"outcome": "failed", "reason": reason, "start": start})
        if not isinstance(error, RuntimeError | OSError):
            _end_launcher()
    return 2 if isinstance(error, UserError) else 1


def _end_launcher() -> None:
    """Terminate the launcher, if there is one, so that it does not restart the processes."""
    if pid := launcher_pid():
        os.kill(pid, signal.SIGTERM)


def _a_peer_has_ended() -> bool:
    with contextlib.suppress(psutil.Error):
        peers = psutil.Process(launcher_pid()).children() if launcher_pid() else []
        living = [peer for peer in peers if peer.status() != psutil.STATUS_ZOMBIE]
        return len(living) < int(os.environ.get("LOCAL_WORLD_SIZE", 0)) if peers else False
    return False
