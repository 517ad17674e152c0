"""Resuming: a run's progress, and what it was started with, recorded in its `manifest.json` and compared."""

import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch.distributed as dist

from utils import artifacts, files, hardware
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import loading
from utils.runs import environment

# Settings that change neither the updates nor their order and schedule; a run may resume with others.
# `max_eval_samples` is not among them: early stopping compares the losses of all evaluations.
CHANGEABLE = {
    *("preset", "num_processes", "max_restarts", "report_to", "num_samples", "torch_compile"),
    *("eval_steps", "early_stopping_patience", "save_steps", "save_total_limit", "cpu_offload"),
    *("tokens_per_device", "activation_checkpointing", "reshard_after_forward"),
}
EXTENDABLE = ("constant", "warmup_stable_decay")  # schedules of runs that can be made longer


@dataclass
class Progress:
    """The content of a checkpoint's `state.json`; `step` determines the order of pairs and the learning rate."""

    step: int = 0  # updates made
    total_tokens: int = 0
    seconds: float = 0.0
    eval_loss: float | None = None  # of the newest evaluation
    eval_step: int = -1  # its step
    best_eval_loss: float | None = None
    num_evals_since_best: int = 0

    def add_evaluation(self, loss: float) -> None:
        self.eval_loss, self.eval_step = loss, self.step
        self.num_evals_since_best += 1
        if self.best_eval_loss is None or loss < self.best_eval_loss:
            self.best_eval_loss, self.num_evals_since_best = loss, 0


def record(run_dir: Path, tokens_dir: Path, config: RunConfig, facts: dict[str, Any], is_writer: bool) -> str:
    """Record what a new run is made from, or compare it for an older one; returns the run's id.

    Raises `UserError` when the tokens, the base model or a setting that the updates depend on changed since the run
    began.
    """
    inputs = artifacts.require(tokens_dir, "02_alpaca_format")["files"]
    manifest = artifacts.read_manifest(run_dir) or {}
    path = run_dir / artifacts.MANIFEST
    checkpoints = [] if (run_dir / "checkpoints").is_symlink() else [*run_dir.glob("checkpoints/step-*")]
    if not manifest and not path.is_symlink() and (path.is_file() or checkpoints):  # links are refused or replaced
        raise UserError(
            f"{path} is missing or damaged, so the run's checkpoints cannot be verified. Restore it, or start a new "
            "run (FRESH=1)."
        )
    if manifest and artifacts.stale_inputs(run_dir, inputs):
        raise UserError(f"{tokens_dir} changed since this run began: it cannot be resumed. Start a new run (FRESH=1).")
    settings = {name: value for name, value in asdict(config).items() if name not in CHANGEABLE}
    before = manifest.get("settings", settings)  # older runs did not record them
    allowed = {"num_train_epochs"} if config.lr_scheduler_type in EXTENDABLE else set()
    changed = [name for name in before if settings.get(name) != before[name] and name not in allowed]
    if changed:
        was = ", ".join(f"{name}={before[name]!r}, now {settings.get(name)!r}" for name in changed)
        raise UserError(f"settings changed since this run began ({was}). Set them back, or start a new run (FRESH=1).")
    base = loading.fingerprint(config)
    if manifest.get("base", base) != base:  # older runs did not record it
        raise UserError(
            f"the model {config.model_name_or_path} changed since this run began: it cannot be resumed. Restore the "
            "model's files, or start a new run (FRESH=1)."
        )
    run_id = manifest.get("id") or ("" if manifest else uuid.uuid4().hex)
    if is_writer:
        recorded = {"id": run_id, "inputs": inputs, "base": base, "settings": settings, "facts": facts}
        recorded |= _circumstances(manifest, config)
        files.write_json(path, recorded)
    return run_id


def _circumstances(manifest: dict[str, Any], config: RunConfig) -> dict[str, Any]:
    """What a release says about a run: the base model's identity, and every environment that the run was made in."""
    num_processes = dist.get_world_size() if dist.is_initialized() else 1
    now = environment.current(hardware.devices()[0].name, num_processes)
    known = manifest.get("environments", [])
    known = known if isinstance(known, list) else []
    identity = manifest.get("base_identity", "") if manifest else loading.identity(config)  # not in older runs
    return {"base_identity": identity, "environments": known if now in known else [*known, now]}
