"""The code, packages and machine that a run was made with, recorded in its `manifest.json`; loads no torch."""

import platform
import re
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from utils import artifacts

TRAINER = "utils.training.trainer"  # its import closure is the code of a run
PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "safetensors", "numpy", "datasets", "peft", "torchao")
# Of a recorded environment: its fields, and their types.
RECORD = {
    **dict.fromkeys(("code", "commit", "python", "platform", "device"), str),
    "num_processes": int,
    "packages": {},
}


def current(device: str, num_processes: int) -> dict[str, Any]:
    """What a run is made with now; `commit` is empty where `utils` is not exactly that of a commit."""
    return {
        "code": artifacts.code_sha256(TRAINER),
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": cpu_name() if device == "CPU" else device,
        "num_processes": num_processes,
        "packages": versions(),
    }


def versions() -> dict[str, str]:
    """The installed packages of `PACKAGES` with their versions."""
    found = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def cpu_name() -> str:
    """The processor as the system names it, else its architecture."""
    with suppress(OSError):
        if match := re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return match[1]
    return platform.processor() or platform.machine()


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(artifacts.ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    with suppress(OSError, subprocess.SubprocessError):  # no git, or no checkout
        return "" if git("status", "--porcelain", "--", "utils") else git("rev-parse", "HEAD")
    return ""
