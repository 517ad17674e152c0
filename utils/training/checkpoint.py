"""Checkpoints: written to a temporary folder, hashed, flushed to disk, then renamed; verified before use.

`checkpoints/step-00000050/` holds one safetensors file per rank with its shards, `state.json`, and `manifest.json` with
the sha256 of every file. It loads on any number of ranks. Nothing is pickled, so a checkpoint cannot run code. With
several machines the run's folder must be on shared storage.
"""

import contextlib
import os
import re
import shutil
import time
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor

from utils import files
from utils.artifacts import MANIFEST, read_manifest, sha256_file
from utils.errors import UserError
from utils.files import NUMBER, read_json, write_json

FOLDER = "checkpoints"
STATE = {"step": int | None, "eval_loss": NUMBER | None}  # of `trainer.Progress`, what is read here
POLL_SECONDS = 0.05


class Saver:
    """Writes the checkpoints of one rank in the background, one at a time.

    Every rank has one and calls `save` at the same steps. `check` and `wait` raise errors of the background thread.
    """

    def __init__(self, run_dir: Path, rank: int, num_ranks: int, keep: int, run_id: str = ""):
        self.folder, self.run_id, self.keep = run_dir / FOLDER, run_id, keep
        self.rank, self.num_ranks = rank, num_ranks
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    def save(self, step: int, tensors: dict[str, torch.Tensor], own: dict[str, torch.Tensor], state: dict) -> None:
        """Copy this rank's shards and start writing them; waits for the previous checkpoint.

        `own` are tensors of this rank alone, for resuming on the same number of ranks. Raises `UserError` when the disk
        is too full; earlier checkpoints are not affected.
        """
        self.wait()
        shards, first_rows = {}, {}
        for name, tensor in tensors.items():
            local, first_row = _local(tensor)
            if isinstance(tensor, DTensor) or self.rank == 0:
                shards[name], first_rows[name] = local.detach().to("cpu", copy=True), str(first_row)
        own = own | {f"random.{kind}": value for kind, value in _random_state().items()}
        shards |= {f"own.{self.rank}.{name}": tensor.detach().to("cpu", copy=True) for name, tensor in own.items()}
        needed_bytes = self.num_ranks * sum(shard.numel() * shard.element_size() for shard in shards.values())
        files.make_folder(self.folder)
        free_bytes = shutil.disk_usage(self.folder).free
        if free_bytes < needed_bytes:
            raise UserError(
                f"this needs {needed_bytes:,} bytes and {self.folder} has {free_bytes:,} free. The earlier checkpoints "
                "are kept. Free some space, or lower save_total_limit, and start again: the run resumes from the last "
                "one."
            )
        self._thread = Thread(target=self._write, args=(step, shards, first_rows, state, needed_bytes), daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise the error of a failed background save."""
        if self._error:
            raise self._error

    def wait(self) -> None:
        """Wait for the background save; raises as `check` does."""
        if self._thread:
            self._thread.join()
        self.check()

    def _write(self, step: int, shards, first_rows, state, needed_bytes: int) -> None:
        temporary = self.folder / f"step-{step:08d}.tmp"
        try:
            files.make_folder(temporary)
            path = temporary / f"rank-{self.rank:05d}.safetensors"
            save_file(shards, path, metadata=first_rows)
            _fsync(path)
            # Written last: the sign for rank 0 that this rank is done.
            write_json(temporary / f"{path.name}.sha256", sha256_file(path))
            if self.rank == 0:
                self._complete(temporary, state)
        except Exception as error:
            explanation = files.explained(error, self.folder)
            needs = f"A checkpoint needs {needed_bytes:,} bytes; the earlier ones are kept."
            self._error = UserError(f"{explanation} {needs}") if explanation else error
            shutil.rmtree(temporary, ignore_errors=True)

    def _complete(self, temporary: Path, state: dict[str, Any]) -> None:
        """Wait for all ranks' files, rename the folder to its final name, and remove old checkpoints."""
        names = [f"rank-{rank:05d}.safetensors" for rank in range(self.num_ranks)]
        marks = [temporary / f"{name}.sha256" for name in names]
        while not all(mark.exists() for mark in marks):
            if not temporary.exists():
                raise UserError(f"another process could not write its part of {temporary}; its own message says why.")
            time.sleep(POLL_SECONDS)
        write_json(temporary / "state.json", state)
        hashes = {name: read_json(mark) for name, mark in zip(names, marks, strict=True)}
        hashes["state.json"] = sha256_file(temporary / "state.json")
        for mark in marks:
            mark.unlink()
        write_json(temporary / MANIFEST, {"run": self.run_id, "num_ranks": self.num_ranks, "files": hashes})
        files.hand_down_mode(temporary)
        for path in (temporary / "state.json", temporary / MANIFEST, temporary):
            _fsync(path)
        final = temporary.with_suffix("")
        files.remove(final)
        temporary.rename(final)
        _fsync(self.folder)
        for old in _no_longer_kept(found(self.folder.parent), self.keep):
            files.remove(old)


def _no_longer_kept(folders: list[Path], keep: int) -> list[Path]:
    """All but the newest `keep` and the one with the lowest validation loss."""
    kept = best(folders)
    return [folder for folder in folders[:-keep] if folder != kept]


def best(folders: list[Path]) -> Path | None:
    """The checkpoint with the lowest validation loss, of those evaluated at their own step."""
    losses = {}
    for folder in folders:
        with contextlib.suppress(FileNotFoundError, UserError):  # damaged
            state = read_json(folder / "state.json", STATE)
            if state.get("eval_loss") is not None and state.get("eval_step") == state.get("step"):
                losses[folder] = state["eval_loss"]
    return min(losses, key=losses.__getitem__, default=None)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def found(run_dir: Path) -> list[Path]:
    """The checkpoints of a run, oldest first, not yet verified."""
    pattern = re.compile(r"step-\d{8}")
    return sorted(path for path in (run_dir / FOLDER).glob("step-*") if pattern.fullmatch(path.name))


def newest_good(run_dir: Path, log, run_id: str = "") -> Path | None:
    """The newest checkpoint whose files all have their recorded sha256; damaged ones are renamed to `.corrupt`.

    Removes what interrupted saves left. Only one rank may call it. Raises `UserError` when `checkpoints` is a symbolic
    link.
    """
    files.make_folder(run_dir / FOLDER)
    for unfinished in (run_dir / "model.tmp", *(run_dir / FOLDER).glob("step-*.tmp")):
        files.remove(unfinished)
    return next((folder for folder in reversed(found(run_dir)) if _is_good(folder, log, run_id)), None)


def best_good(run_dir: Path, log, run_id: str = "") -> tuple[str, float] | None:
    """The checkpoint with the lowest validation loss, verified as by `newest_good`, and this loss."""
    while folder := best(found(run_dir)):
        if _is_good(folder, log, run_id):
            return str(folder), read_json(folder / "state.json")["eval_loss"]
    return None


def _is_good(folder: Path, log, run_id: str) -> bool:
    """Whether a checkpoint is intact and of this run; otherwise it is renamed to `.corrupt`."""
    fault = defect(folder)
    if fault is None and run_id and (read_manifest(folder) or {}).get("run") != run_id:
        fault = "it is of another run"
    if fault:
        aside = folder.with_suffix(".corrupt")
        files.remove(aside)
        folder.rename(aside)
        log(f"checkpoint {folder.name} is damaged ({fault}): renamed to {aside.name}")
    return not fault


def defect(folder: Path) -> str | None:
    """Why a checkpoint is damaged: a file is missing or was changed; None when it is intact."""
    manifest = read_manifest(folder)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        return "no readable manifest"
    if not {"state.json", "rank-00000.safetensors"} <= manifest["files"].keys():
        return "the manifest lacks a file"
    extra = {path.name for path in folder.glob("rank-*.safetensors")} - manifest["files"].keys()
    if extra:
        return f"the manifest does not name {min(extra)}"
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256_file(path) != expected:
            return f"{name} differs from its sha256"
    try:
        read_json(folder / "state.json", STATE)
    except UserError as error:
        return str(error)
    return None


def load(folder: Path, tensors: dict[str, torch.Tensor], own: dict[str, torch.Tensor], rank: int) -> dict[str, Any]:
    """Load a verified checkpoint into `tensors` and `own` in place, set the random state, and return `state.json`.

    Raises `UserError` when rows of a tensor or this rank's own tensors are missing.
    """
    shards: dict[str, list] = {}
    for path in sorted(folder.glob("rank-*.safetensors")):
        file = safe_open(path, "pt")
        for name in file.keys():  # noqa: SIM118 (not a dictionary)
            shards.setdefault(name, []).append(file)
    for name, tensor in tensors.items():
        local, first_row = _local(tensor)
        num_missing = len(local) if local.ndim else 1
        for file in shards.get(name, []):
            num_missing -= _copy_overlap(file, name, local, first_row)
        if num_missing:
            raise UserError(f"{folder} lacks rows of {name}: it was made from another model. Start a new run.")
    prefix = f"own.{rank}."
    own_names = [name for name in shards if name.startswith(prefix)]
    own_shards = {name.removeprefix(prefix): shards[name][0].get_tensor(name) for name in own_names}
    for name, tensor in own.items():
        if name not in own_shards or own_shards[name].shape != tensor.shape:
            raise UserError(
                f"{folder} has 8-bit optimizer states of another number of processes: resume with that number."
            )
        tensor.copy_(own_shards[name])
    # A rank that the saving run did not have keeps its seeded state.
    for kind, setter in {"cpu": torch.set_rng_state, "cuda": torch.cuda.set_rng_state}.items():
        if f"random.{kind}" in own_shards:
            setter(own_shards[f"random.{kind}"])
    return read_json(folder / "state.json", STATE)


def _copy_overlap(file, name: str, local: torch.Tensor, first_row: int) -> int:
    """Copy the rows of a saved shard that belong to `local`; returns their number."""
    if not local.ndim:
        local.copy_(_checked(file.get_tensor(name), name, local))
        return 1
    saved, saved_first = file.get_slice(name), int(file.metadata()[name])
    start = max(first_row, saved_first)
    end = min(first_row + len(local), saved_first + saved.get_shape()[0])
    if end <= start:
        return 0
    rows = _checked(saved[start - saved_first : end - saved_first], name, local)
    local[start - first_row : end - first_row].copy_(rows)
    return end - start


def _checked(saved: torch.Tensor, name: str, local: torch.Tensor) -> torch.Tensor:
    if saved.dtype != local.dtype or saved.shape[1:] != local.shape[1:]:
        got, wanted = (f"{tensor.dtype} {list(tensor.shape[1:])}" for tensor in (saved, local))
        raise UserError(f"the checkpoint's {name} is {got} per row, the model's is {wanted}. Start a new run.")
    if saved.is_floating_point() and not saved.isfinite().all():
        raise UserError(
            f"the checkpoint's {name} has values that are not finite. Delete it, and resume from an older one."
        )
    return saved


def _local(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    """This rank's rows of a tensor, as FSDP2 shards it, and the number of the first row."""
    if not isinstance(tensor, DTensor):
        return tensor, 0
    num_rows, num_ranks = tensor.shape[0], tensor.device_mesh.size()
    return tensor.to_local(), min(num_rows, -(-num_rows // num_ranks) * tensor.device_mesh.get_local_rank())


def _random_state() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states
