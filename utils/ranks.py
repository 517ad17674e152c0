"""The processes of a run: which one this is, what they agree on, and whether all of them are alive."""

import contextlib
import fcntl
import itertools
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch
import torch.distributed as dist

from utils.errors import UserError


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run."""

    rank: int = 0
    num_ranks: int = 1
    device: torch.device = torch.device("cpu")

    @classmethod
    def join(cls) -> "Ranks":
        """Read the launcher's environment and, if there are several processes, join their group."""
        num_ranks, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        device = torch.device("cpu")
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(device)
        if num_ranks > 1:
            # Long, so that a slow save is not taken for a dead process: that is what the heartbeat is for.
            backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
            dist.init_process_group(backend, timeout=timedelta(hours=2))
        return cls(rank, num_ranks, device)

    def leave(self) -> None:
        if self.num_ranks > 1:
            dist.destroy_process_group()

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def reduce(self, values: list[float], operation=dist.ReduceOp.SUM) -> list[float]:
        """The sum, or another reduction, of each value over all ranks, in float64."""
        if self.num_ranks == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor, operation)
        return tensor.tolist()

    def average(self, tensors: Iterable[torch.Tensor]) -> None:
        """Make each tensor its mean over all ranks, in place."""
        for tensor in tensors if self.num_ranks > 1 else ():
            dist.all_reduce(tensor)
            tensor /= self.num_ranks

    def from_first(self, value: Any) -> Any:
        """The first rank's value, on every rank."""
        values = [value]
        if self.num_ranks > 1:
            dist.broadcast_object_list(values, device=self.device)
        return values[0]

    def barrier(self) -> None:
        if self.num_ranks > 1:
            dist.barrier()

    def log(self, message: str) -> None:
        if self.is_first:
            print(time.strftime("%H:%M:%S"), message, flush=True)


@dataclass
class StopRequest:
    """Whether someone asked the run to save and end: by a file `STOP` in its folder, SIGTERM or SIGINT."""

    run_dir: Path
    signals: list[int] = field(default_factory=list)

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self.signals.append(number))

    @property
    def is_made(self) -> bool:
        return bool(self.signals) or (self.run_dir / "STOP").exists()


@contextlib.contextmanager
def only_one(run_dir: Path, ranks: Ranks):
    """Hold the run's folder while training; raises `UserError` when another process trains in it."""
    with open(run_dir / "lock", "w") as file:
        for is_last in (False, True) if ranks.is_first else ():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if is_last:
                    raise UserError(
                        f"{run_dir} is being trained by another process: wait for it, or stop it."
                    ) from None
                time.sleep(1.0)  # it may only be asked for: `launch.state` takes it for a moment
        yield


class Heartbeat:
    """Notices within 30 s that a process of the run has gone silent, and ends this one with `EXIT_STATUS`.

    A process that is killed, stopped, or cut off from the network sends nothing more; one that is merely slow goes on
    beating, from a thread of its own. Without this, the others would wait in a collective for hours. Each process
    writes a count to a store that the first one serves, and reads those of the others.
    """

    BEAT_SECONDS, SILENCE_SECONDS, REPLY_SECONDS = 1.0, 18.0, 8.0
    EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: try again

    def __init__(self, ranks: Ranks):
        self.ranks, self._ended = ranks, Event()
        if ranks.num_ranks == 1:
            return
        host = os.environ["MASTER_ADDR"]
        options = dict(timeout=timedelta(seconds=self.REPLY_SECONDS), wait_for_workers=False)
        store = dist.TCPStore(host, 0, is_master=True, **options) if ranks.is_first else None
        port = ranks.from_first(store.port if store else None)
        self._store = store or dist.TCPStore(host, port, is_master=False, **options)
        self._heard = dict.fromkeys((rank for rank in range(ranks.num_ranks) if rank != ranks.rank), time.monotonic())
        self._answered = time.monotonic()  # when the store last answered
        self._beating = Thread(target=self._beat, daemon=True)
        self._beating.start()
        Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        """End the watch; to be called by all ranks before they part."""
        self._ended.set()
        if self.ranks.num_ranks > 1:
            self._beating.join(self.REPLY_SECONDS)
            self.ranks.barrier()

    def _beat(self) -> None:
        """Tell the others, and hear them. A store whose process is stopped never answers, whatever its timeout."""
        counts = dict.fromkeys(self._heard, b"")
        for beat in itertools.count():
            try:
                self._store.set(str(self.ranks.rank), str(beat))
                for peer, before in counts.items():
                    counts[peer] = self._store.get(str(peer)) if self._store.check([str(peer)]) else b""
                    if counts[peer] != before:
                        self._heard[peer] = time.monotonic()
            except RuntimeError:  # the first rank does not answer any more
                self._end("rank 0 does not answer")
            self._answered = time.monotonic()
            if self._ended.wait(self.BEAT_SECONDS):
                return

    def _watch(self) -> None:
        """In a thread of its own, because the one that beats may hang."""
        while not self._ended.wait(self.BEAT_SECONDS):
            oldest = time.monotonic() - self.SILENCE_SECONDS
            silent = [0] if self._answered < oldest else [rank for rank, when in self._heard.items() if when < oldest]
            if silent:
                self._end(f"silent for {self.SILENCE_SECONDS:.0f} s: rank {', '.join(map(str, silent))}")

    def _end(self, what: str) -> None:
        if self._ended.is_set():
            return
        message = f"rank {self.ranks.rank}: {what}. Ending; the run goes on from its newest checkpoint."
        print(time.strftime("%H:%M:%S"), message, file=sys.stderr, flush=True)
        os._exit(self.EXIT_STATUS)  # the main thread may be inside a collective that never returns
