"""Rendezvous and heartbeat: how the processes of a run find each other, and detect a dead one.

On one machine they meet through private files, and nothing listens beyond 127.0.0.1. With several machines, anyone who
reaches the process group's port can run code as the user: it listens on one address, on the interface of the first
machine, and a launcher that listens on all addresses is refused.
"""

import contextlib
import ipaddress
import itertools
import os
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import torch.distributed as dist

from utils import files
from utils.errors import UserError

# How long processes wait for each other at the start, before loading the model.
JOIN_SECONDS = 300.0
# The variable that, set to 1, allows a launcher to listen on all addresses.
ALL_ADDRESSES = "ALLOW_ALL_ADDRESSES"


def launcher_pid() -> int | None:
    """The process id of the launcher of this process: 0 when it is dead, None without a launcher."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(os.getppid())  # of an orphan, an unrelated process
        if set(sys.argv[1:]) <= set(parent.cmdline()):
            return parent.pid
    return 0


def refuse_open_launcher() -> None:
    """Raise `UserError` when the launcher listens on all addresses: it unpickles what peers send."""
    if not launcher_pid() or os.environ.get(ALL_ADDRESSES) == "1":
        return
    with contextlib.suppress(psutil.Error):  # processes that cannot be inspected are not refused
        for connection in psutil.Process(launcher_pid()).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and ipaddress.ip_address(connection.laddr.ip).is_unspecified:
                raise UserError(
                    f"the launcher listens on all addresses, port {connection.laddr.port}: anyone can reach it and "
                    "run code as you. Start the run from notebook 03, or with its command; on several machines "
                    "use the rendezvous file as in utils/training/README.md. In a trusted network "
                    f"{ALL_ADDRESSES}=1 allows it."
                )


def meet(rank: int) -> tuple[dist.Store, "FileBeats | StoreBeats"]:
    """The store of the process group, and the heartbeats.

    Raises `UserError` for an address that the others cannot reach, `ConnectionError` when they do not answer.
    """
    return _meet_in_files() if os.environ.get("GROUP_WORLD_SIZE") == "1" else _meet_at_port(rank)


def _meet_in_files() -> tuple[dist.Store, "FileBeats"]:
    """Store and heartbeats on one machine, in a private folder of this start.

    Not covered: a wrapper around each process, which would be its parent instead of the launcher.
    """
    lo = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")  # lo0 on macOS
    os.environ.update(_interface(lo))
    start = (str(os.getppid()), os.environ["MASTER_PORT"], os.environ["TORCHELASTIC_RESTART_COUNT"])
    folder = files.private_folder() / "-".join(start)
    folder.mkdir(mode=0o700, exist_ok=True)
    group = folder / "group"
    os.close(os.open(group, os.O_CREAT | os.O_RDWR, 0o600))  # torch would make it readable for others
    store = dist.FileStore(str(group), int(os.environ["WORLD_SIZE"]))
    store.set_timeout(timedelta(seconds=JOIN_SECONDS))
    return store, FileBeats(folder)


def _meet_at_port(rank: int) -> tuple[dist.Store, "StoreBeats"]:
    """Store and heartbeats on several machines, served by rank 0 only on the launcher's address.

    Unless others are set, gloo and NCCL use the interface of that address.
    """
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    endpoint = f"{host}:{port}"
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        ip = ipaddress.ip_address(address[0])
        if ip.is_unspecified or (ip.is_loopback and int(os.environ.get("GROUP_WORLD_SIZE", 1)) > 1):
            raise UserError(
                f"MASTER_ADDR is {host}, which is {ip} on this machine: pass --local_addr with the address that the "
                "other machines reach."
            )
        if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
            raise UserError(
                f"the launcher's own store occupies {endpoint}: set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 and pass "
                "--rdzv_backend c10d."
            )
        os.environ.update(_interface(_interface_to(family, address)) | os.environ)
        listening: dict[str, Any] = {}
        if rank == 0:
            server = socket.create_server(address[:2], family=family)
            listening = dict(is_master=True, master_listen_fd=server.detach(), wait_for_workers=False)
        # A connection for the heartbeat, since a waiting call blocks one; the first of rank 0 is the server.
        group, beats = (
            dist.TCPStore(str(address[0]), port, timeout=timedelta(seconds=seconds), **options)
            for seconds, options in ((JOIN_SECONDS, listening), (Heartbeat.REPLY_SECONDS, {}))
        )
    except (OSError, RuntimeError) as error:
        raise ConnectionError(  # the launcher may restart the processes
            f"rank {rank} could not join the others at {endpoint} within {JOIN_SECONDS:.0f} s: {error}. It "
            "must be the address of the first machine, and no firewall may block it."
        ) from error
    return group, StoreBeats(beats, endpoint)


def _interface(name: str) -> dict[str, str]:
    """The variables that set gloo and NCCL to exactly this network interface."""
    return {"GLOO_SOCKET_IFNAME": name, "NCCL_SOCKET_IFNAME": f"={name}"}


def _interface_to(family: socket.AddressFamily, address: tuple) -> str:
    """The name of the network interface that leads to the address."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(address)  # sends nothing
        own_address = probe.getsockname()[0]
    for name, addresses in psutil.net_if_addrs().items():
        if any(entry.address.partition("%")[0] == own_address for entry in addresses):
            return name
    raise UserError(
        f"no network interface has the address {own_address}, which leads to {address[0]}: set GLOO_SOCKET_IFNAME."
    )


class FileBeats:
    """Heartbeats as modification times of files, for one machine."""

    def __init__(self, folder: Path):
        self.folder = self.endpoint = folder

    def send(self, rank: int) -> None:
        (self.folder / f"beat-{rank}").touch(mode=0o600)

    def last(self, rank: int) -> int | None:
        """A value that changes with every beat of the rank; None before its first."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / f"beat-{rank}").stat().st_mtime_ns
        return None


class StoreBeats:
    """Heartbeats as counters in a store that rank 0 serves, for several machines."""

    def __init__(self, store: dist.Store, endpoint: str):
        self.store, self.endpoint, self._counts = store, endpoint, itertools.count()

    def send(self, rank: int) -> None:
        self.store.set(f"beat-{rank}", str(next(self._counts)))

    def last(self, rank: int) -> bytes | None:
        key = f"beat-{rank}"
        return self.store.get(key) if self.store.check([key]) else None


class Heartbeat:
    """Detects a dead process of the run within 30 s, and exits with `EXIT_STATUS`.

    A killed, suspended or disconnected process stops beating; a slow one keeps beating, from its own thread. Without it
    the others would wait in a collective for hours. It also exits when another process has not joined within
    `JOIN_SECONDS`, or the launcher ended before that.
    """

    BEAT_SECONDS, SILENCE_SECONDS, REPLY_SECONDS = 1.0, 18.0, 8.0
    EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: try again

    def __init__(self, rank: int, num_ranks: int, beats: FileBeats | StoreBeats):
        self.rank, self._beats, self._ended = rank, beats, Event()
        self._launcher_pid = launcher_pid()
        self._last_heard: dict[int, float | None] = dict.fromkeys(peer for peer in range(num_ranks) if peer != rank)
        self._started = self._answered = time.monotonic()  # when beats were last sent and read
        self._beating = Thread(target=self._beat, daemon=True)
        self._beating.start()
        Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        self._ended.set()
        self._beating.join(self.REPLY_SECONDS)

    def _beat(self) -> None:
        """Send and read beats. A store whose process is suspended never answers, whatever its timeout."""
        last = dict.fromkeys(self._last_heard)
        while True:
            try:
                self._beats.send(self.rank)
                for peer, before in last.items():
                    last[peer] = self._beats.last(peer)
                    if last[peer] != before:
                        self._last_heard[peer] = time.monotonic()
            except (RuntimeError, OSError) as error:
                self._end(f"{self._beats.endpoint} no longer answers: {error}")
            self._answered = time.monotonic()
            if self._ended.wait(self.BEAT_SECONDS):
                return

    def _watch(self) -> None:
        """In another thread, because the beating thread may hang."""
        while not self._ended.wait(self.BEAT_SECONDS):
            now = time.monotonic()
            missing = [rank for rank, heard in self._last_heard.items() if heard is None]
            silent = [rank for rank, heard in self._last_heard.items() if heard and now - heard > self.SILENCE_SECONDS]
            if now - self._answered > self.SILENCE_SECONDS:
                self._end(f"{self._beats.endpoint} has not answered for {self.SILENCE_SECONDS:.0f} s")
            elif silent:
                self._end(f"silent for {self.SILENCE_SECONDS:.0f} s: rank {', '.join(map(str, silent))}")
            elif missing and now - self._started > JOIN_SECONDS:
                names = ", ".join(map(str, missing))
                self._end(f"rank {names} did not join at {self._beats.endpoint} within {JOIN_SECONDS:.0f} s")
            elif missing and self._launcher_pid not in (None, os.getppid()):
                self._end("the launcher has ended, and not all processes have joined")

    def _end(self, what: str) -> None:
        if self._ended.is_set():
            return
        message = f"rank {self.rank}: {what}. Ending; the run resumes from its newest checkpoint."
        print(time.strftime("%H:%M:%S"), message, file=sys.stderr, flush=True)
        os._exit(self.EXIT_STATUS)  # the main thread may be inside a collective that never returns
