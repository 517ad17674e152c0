"""The processes of a run: which one this is, what they agree on, and whether all of them are alive.

On one machine they meet through files that only the user can open, and nothing listens beyond 127.0.0.1. Over several
machines, peers that reach the process group's port can run code as the user: it listens on one address, on the
interface that leads to the first machine, and a launcher that listens on all addresses is refused.
"""

import contextlib
import fcntl
import ipaddress
import itertools
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import torch
import torch.distributed as dist

from utils import launch
from utils.errors import UserError

# How long processes wait for each other at the start; loading a model comes after it.
JOIN_SECONDS = 300.0
# Set to 1, it lets a launcher listen on all addresses of the machine.
ALL_ADDRESSES = "ALLOW_ALL_ADDRESSES"


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run."""

    rank: int = 0
    num_ranks: int = 1
    device: torch.device = torch.device("cpu")
    heartbeat: "Heartbeat | None" = None

    @classmethod
    def join(cls) -> "Ranks":
        """Read the launcher's environment and, if there are several processes, join their group.

        Raises `UserError` when the launcher or the group would listen on all addresses, or the first process cannot be
        reached. One that does not come within `JOIN_SECONDS` ends this process, as the heartbeat does.
        """
        num_ranks, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        device = torch.device("cpu")
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(device)
        if num_ranks == 1:
            return cls(rank, num_ranks, device)
        _refuse_open_launcher()
        store, beats = _meet_in_files() if os.environ.get("GROUP_WORLD_SIZE") == "1" else _meet_at_port(rank)
        heartbeat = Heartbeat(rank, num_ranks, beats)
        # Long, so that a slow save is not taken for a dead process: that is what the heartbeat is for.
        backend, timeout = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timedelta(hours=2)
        dist.init_process_group(backend, store=store, rank=rank, world_size=num_ranks, timeout=timeout)
        return cls(rank, num_ranks, device, heartbeat)

    def leave(self) -> None:
        """Part from the others; to be called by all ranks."""
        if self.heartbeat:
            self.heartbeat.stop()
            self.barrier()
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
        """The first rank's value, which JSON can hold, on every rank; it travels as text, and nothing is unpickled."""
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


def _launcher_pid() -> int:
    """The process that started this one to train, and starts it again; 0 where it was started by hand."""
    return os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else 0


def end_launcher() -> None:
    """Have the launcher end all of its processes instead of starting them again; without one, nothing."""
    if pid := _launcher_pid():
        os.kill(pid, signal.SIGTERM)


def a_peer_has_ended() -> bool:
    """Whether a process that the same launcher started lives no more."""
    with contextlib.suppress(psutil.Error):
        peers = psutil.Process(_launcher_pid()).children() if _launcher_pid() else []
        living = [peer for peer in peers if peer.status() != psutil.STATUS_ZOMBIE]
        return len(living) < int(os.environ.get("LOCAL_WORLD_SIZE", 0)) if peers else False
    return False


@dataclass
class StopRequest:
    """Whether the run should save and end: for a file `STOP` in its folder, SIGTERM or SIGINT, or a dead launcher."""

    run_dir: Path
    signals: list[int] = field(default_factory=list)
    launcher_pid: int = field(default_factory=_launcher_pid)

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self.signals.append(number))

    @property
    def is_made(self) -> bool:
        is_orphan = self.launcher_pid not in (0, os.getppid())
        return bool(self.signals) or is_orphan or (self.run_dir / "STOP").exists()


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


def _refuse_open_launcher() -> None:
    """Raise `UserError` when this process's launcher listens on all addresses: it unpickles what peers write there."""
    if not _launcher_pid() or os.environ.get(ALL_ADDRESSES) == "1":
        return
    with contextlib.suppress(psutil.Error):  # what cannot be looked at is not refused
        for connection in psutil.Process(_launcher_pid()).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and ipaddress.ip_address(connection.laddr.ip).is_unspecified:
                raise UserError(
                    f"the launcher listens on all addresses, port {connection.laddr.port}: whatever reaches it can run "
                    "code as you. Start the run from notebook 03, or with the command it shows; on several machines "
                    "take the rendezvous through a file that README.md shows. Inside a network that you trust, "
                    f"{ALL_ADDRESSES}=1 allows it."
                )


def _meet_in_files() -> tuple[dist.Store, "FileBeats"]:
    """The store of a group on one machine, and its heartbeat: in a folder of this start of its processes."""
    environment = os.environ
    loopback = launch.loopback()
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        environment.setdefault(name, loopback)
    start = (str(os.getppid()), environment["MASTER_PORT"], environment["TORCHELASTIC_RESTART_COUNT"])
    folder = launch.private_folder() / "-".join(start)
    folder.mkdir(mode=0o700, exist_ok=True)
    group = folder / "group"
    os.close(os.open(group, os.O_CREAT | os.O_RDWR, 0o600))  # torch would make it readable for all
    store = dist.FileStore(str(group), int(environment["WORLD_SIZE"]))
    store.set_timeout(timedelta(seconds=JOIN_SECONDS))
    return store, FileBeats(folder)


def _meet_at_port(rank: int) -> tuple[dist.Store, "StoreBeats"]:
    """The store of a group on several machines, and its heartbeat: served by rank 0, on the launcher's address alone.

    Traffic between the processes takes the interface that leads there, where none was chosen.
    """
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    place = f"{host}:{port}"
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if ipaddress.ip_address(address[0]).is_unspecified:
            raise UserError(f"MASTER_ADDR is {host}, all addresses of the machine: name the one that its peers reach.")
        interface = _interface_to(family, address)
        for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(name, interface)
        listening = {}
        if rank == 0:
            server = socket.create_server(address[:2], family=family)
            listening = dict(is_master=True, master_listen_fd=server.detach(), wait_for_workers=False)
        # The heartbeat has a connection of its own, since a call that waits occupies one; rank 0's first is the server.
        group, beats = (
            dist.TCPStore(address[0], port, timeout=timedelta(seconds=seconds), **options)
            for seconds, options in ((JOIN_SECONDS, listening), (Heartbeat.REPLY_SECONDS, {}))
        )
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"rank {rank} could not join the others at {place} within {JOIN_SECONDS:.0f} s: {error}. Is that the "
            "address of the first machine, and does no firewall block it?"
        ) from error
    return group, StoreBeats(beats, place)


def _interface_to(family: socket.AddressFamily, address: tuple) -> str:
    """The name of this machine's network interface that leads to the address."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(address)  # sends nothing
        mine = probe.getsockname()[0]
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address.partition("%")[0] == mine for one in addresses):
            return name
    raise UserError(
        f"no network interface has the address {mine}, which leads to {address[0]}: set GLOO_SOCKET_IFNAME."
    )


class FileBeats:
    """Heartbeats as the times of files, which take no room however long a run lasts; for one machine."""

    def __init__(self, folder: Path):
        self.folder = self.place = folder

    def send(self, rank: int) -> None:
        (self.folder / f"beat-{rank}").touch(mode=0o600)

    def last(self, rank: int) -> int | None:
        """Something that changes with every beat of the rank; None before its first."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / f"beat-{rank}").stat().st_mtime_ns
        return None


class StoreBeats:
    """Heartbeats as counts in a store that rank 0 serves; for several machines."""

    def __init__(self, store: dist.Store, place: str):
        self.store, self.place, self._counts = store, place, itertools.count()

    def send(self, rank: int) -> None:
        self.store.set(f"beat-{rank}", str(next(self._counts)))

    def last(self, rank: int) -> bytes | None:
        key = f"beat-{rank}"
        return self.store.get(key) if self.store.check([key]) else None


class Heartbeat:
    """Notices within 30 s that a process of the run has gone silent, and ends this one with `EXIT_STATUS`.

    A process that is killed, stopped, or cut off from the network sends nothing more; one that is merely slow keeps
    beating, from a thread of its own. Without this, the others would wait in a collective for hours. It begins before
    the processes join their group, and ends this one too when another has not come within `JOIN_SECONDS`, or when the
    launcher, which would start it, is gone.
    """

    BEAT_SECONDS, SILENCE_SECONDS, REPLY_SECONDS = 1.0, 18.0, 8.0
    EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: try again

    def __init__(self, rank: int, num_ranks: int, beats: FileBeats | StoreBeats):
        self.rank, self._beats, self._ended = rank, beats, Event()
        self._launcher_pid = _launcher_pid()
        self._heard: dict[int, float | None] = dict.fromkeys(peer for peer in range(num_ranks) if peer != rank)
        self._began = self._answered = time.monotonic()  # when the beats could last be sent and read
        self._beating = Thread(target=self._beat, daemon=True)
        self._beating.start()
        Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        """End the watch."""
        self._ended.set()
        self._beating.join(self.REPLY_SECONDS)

    def _beat(self) -> None:
        """Send to the others, and hear them. A store whose process is stopped never answers, whatever its timeout."""
        last = dict.fromkeys(self._heard)
        while True:
            try:
                self._beats.send(self.rank)
                for peer, before in last.items():
                    last[peer] = self._beats.last(peer)
                    if last[peer] != before:
                        self._heard[peer] = time.monotonic()
            except (RuntimeError, OSError) as error:
                self._end(f"{self._beats.place} does not answer any more: {error}")
            self._answered = time.monotonic()
            if self._ended.wait(self.BEAT_SECONDS):
                return

    def _watch(self) -> None:
        """In a thread of its own, because the one that beats may hang."""
        while not self._ended.wait(self.BEAT_SECONDS):
            now = time.monotonic()
            missing = [rank for rank, heard in self._heard.items() if heard is None]
            silent = [rank for rank, heard in self._heard.items() if heard and now - heard > self.SILENCE_SECONDS]
            if now - self._answered > self.SILENCE_SECONDS:
                self._end(f"{self._beats.place} has not answered for {self.SILENCE_SECONDS:.0f} s")
            elif silent:
                self._end(f"silent for {self.SILENCE_SECONDS:.0f} s: rank {', '.join(map(str, silent))}")
            elif missing and now - self._began > JOIN_SECONDS:
                names = ", ".join(map(str, missing))
                self._end(f"rank {names} did not join at {self._beats.place} within {JOIN_SECONDS:.0f} s")
            elif missing and self._launcher_pid not in (0, os.getppid()):
                self._end("the launcher has ended, and not all processes have joined")

    def _end(self, what: str) -> None:
        if self._ended.is_set():
            return
        message = f"rank {self.rank}: {what}. Ending; the run resumes from its newest checkpoint."
        print(time.strftime("%H:%M:%S"), message, file=sys.stderr, flush=True)
        os._exit(self.EXIT_STATUS)  # the main thread may be inside a collective that never returns
