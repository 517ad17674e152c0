"""The process of one guest: CPython for WASI under wasmtime, with its limits; started by `utils.sandbox.guest`.

The guest has this process' three pipes and nothing else of the host: no files, sockets, processes, threads or
environment. Imports nothing of this package, so that it starts fast.
"""

import os
import resource
import sys
import threading
from pathlib import Path

import wasmtime

# How this process ends; the guest's own exit status is never passed on.
ENDED, TIMED_OUT, CRASHED, CANNOT_LOAD = 0, 3, 4, 5
STACK_BYTES = 2**20
BOOT = """
import json, sys, types
for name, text in json.loads(sys.stdin.readline()).items():
    sys.modules[name] = types.ModuleType(name)
    exec(compile(text, "<sandbox>", "exec"), sys.modules[name].__dict__)
"""


def engine() -> wasmtime.Engine:
    """The engine for compiling and for running; compiled code is only valid for the same settings."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.max_wasm_stack = STACK_BYTES
    return wasmtime.Engine(config)


def compile_to(source: str, target: str) -> int:
    Path(target).write_bytes(wasmtime.Module.from_file(engine(), source).serialize())
    return ENDED


def run(compiled: str, seconds: float, memory_bytes: int) -> int:
    """Run one guest to its end, `seconds` of wall time at most, and return how it ended."""
    for name, limit in (("CORE", 0), ("FSIZE", 0), ("NOFILE", 16), ("CPU", int(seconds) + 10)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))
    clock = engine()
    try:
        module = wasmtime.Module.deserialize_file(clock, compiled)
    except wasmtime.WasmtimeError:
        return CANNOT_LOAD
    wasi = wasmtime.WasiConfig()
    wasi.argv = ["python", "-S", "-B", "-c", BOOT]
    wasi.env = [("PYTHONHASHSEED", "0")]  # the order of sets is the same in every run
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    store, linker = wasmtime.Store(clock), wasmtime.Linker(clock)
    store.set_limits(memory_size=memory_bytes, instances=1, memories=1)
    store.set_epoch_deadline(1)
    store.set_wasi(wasi)
    linker.define_wasi()
    instance = linker.instantiate(store, module)
    # Epochs end what computes; what waits in a call of the host, such as a sleep, ends with this process.
    for delay, action in ((seconds, clock.increment_epoch), (seconds + 1, lambda: os._exit(TIMED_OUT))):
        timer = threading.Timer(delay, action)
        timer.daemon = True
        timer.start()
    try:
        instance.exports(store)["_start"](store)  # ty: ignore[not-callable]
    except wasmtime.ExitTrap:
        return ENDED
    except wasmtime.Trap as trap:
        return TIMED_OUT if trap.trap_code is wasmtime.TrapCode.INTERRUPT else CRASHED
    except wasmtime.WasmtimeError:
        return CRASHED
    return ENDED


if __name__ == "__main__":
    action, *arguments = sys.argv[1:]
    if action == "compile":
        sys.exit(compile_to(*arguments))
    sys.exit(run(arguments[0], float(arguments[1]), int(arguments[2])))
