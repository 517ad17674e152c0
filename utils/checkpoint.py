"""Checkpoints that hold: written beside their place, hashed, flushed to disk, then renamed; verified before use.

`checkpoints/step-00000050/` holds the tensors of all ranks as safetensors, the random state of each rank, `state.json`
and `manifest.json` with the sha256 of every file. A checkpoint loads on any number of ranks.
"""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter

from utils.artifacts import MANIFEST, read_manifest, sha256_file, write_json
from utils.errors import UserError

FOLDER = "checkpoints"


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _barrier() -> None:
    if dist.is_initialized():
        dist.barrier()


def save(run_dir: Path, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any], keep: int) -> Path:
    """Write the checkpoint of `step` and drop all but the newest `keep`; every rank calls it with its own shards.

    Raises `UserError` when the disk is too full; the earlier checkpoints are then untouched.
    """
    folder = run_dir / FOLDER / f"step-{step:08d}"
    temporary = folder.with_suffix(".tmp")
    if _rank() == 0:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        needed_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        free_bytes = shutil.disk_usage(temporary).free
        if free_bytes < needed_bytes:
            raise UserError(f"a checkpoint needs {needed_bytes:,} bytes; {temporary.parent} has {free_bytes:,} free.")
    _barrier()
    writer = HuggingFaceStorageWriter(temporary, save_distributed=True)
    dcp.save(tensors, storage_writer=writer, no_dist=not dist.is_initialized())
    save_file(_random_state(), temporary / f"random-{_rank():05d}.safetensors")
    _barrier()
    if _rank() == 0:
        write_json(temporary / "state.json", state)
        files = {path.name: sha256_file(path) for path in sorted(temporary.iterdir())}
        write_json(temporary / MANIFEST, {"files": files})
        for path in [*temporary.iterdir(), temporary]:
            _fsync(path)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
        _fsync(folder.parent)
        for old in found(run_dir)[:-keep]:
            shutil.rmtree(old)
    _barrier()
    return folder


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def found(run_dir: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first, not yet verified."""
    pattern = re.compile(r"step-\d{8}")
    return sorted(path for path in (run_dir / FOLDER).glob("step-*") if pattern.fullmatch(path.name))


def newest_good(run_dir: Path, log) -> Path | None:
    """The newest checkpoint whose every file has its recorded sha256; a bad one is set aside as `.corrupt`."""
    for folder in reversed(found(run_dir)):
        fault = _fault(folder)
        if fault is None:
            return folder
        aside = folder.with_suffix(".corrupt")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        log(f"checkpoint {folder.name} is damaged ({fault}): set aside as {aside.name}")
    return None


def _fault(folder: Path) -> str | None:
    manifest = read_manifest(folder)
    if manifest is None:
        return "no readable manifest"
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256_file(path) != expected:
            return f"{name} differs from its sha256"
    return None


def load(folder: Path, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Fill `tensors` in place from a verified checkpoint, set this rank's random state, and return `state.json`."""
    dcp.load(tensors, storage_reader=HuggingFaceStorageReader(folder), no_dist=not dist.is_initialized())
    random_file = folder / f"random-{_rank():05d}.safetensors"
    if random_file.exists():  # a rank that the saving run did not have keeps its seed
        states = load_file(random_file)
        torch.set_rng_state(states["cpu"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])
    return json.loads((folder / "state.json").read_text(encoding="utf-8"))


def _random_state() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states
