"""The ledger: the published model card's recipe against a run, line by line, and the hashes that identify the run."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from utils import files
from utils.config import ASSUMED, CARD, PAIR_SUFFIXES, RunConfig
from utils.errors import UserError
from utils.release.run_facts import RunFacts
from utils.runs import environment
from utils.runs.labels import typed

LEDGER = "ledger.json"
TOKENIZER = "tokenizer sha256"  # `tokenizer: <hash>` looks like a secret to those who search for them
VERSION = 1
STATED, NOT_STATED = "stated", "not stated"
SAME, DIFFERENT, NOT_KNOWN = "same", "different", "not known"
# What is in `ledger.json`, and its types.
RECORD = {
    **{"version": int, "run": str, "recipe": [{}], "settings": {}, "environments": [environment.RECORD]},
    **{"pairs": {"source": str, "options": {}}},
    **{"hashes": {"base": str, "source": str, "pairs": {}, "tokens": {}, TOKENIZER: str, "code": str}},
}
# What a difference means; the settings that are missing here change the arithmetic in small ways only.
MEANINGS = {
    "model_name_or_path": "Another base model: other abilities, other size, other licence.",
    "pairs": "Other pairs: the model learned from other examples, under other terms.",
    "template": "Another prompt: the model must be asked in this one.",
    "max_length": "Longer pairs were left out; with the published limit other pairs may have been.",
    "num_train_epochs": "More epochs fit the pairs more closely; fewer leave the model closer to its base.",
    "learning_rate": "A higher rate changes the model faster, and small models bear higher ones than large ones.",
    "train_batch_size": "Other batches: another number of updates for the same pairs.",
    "lr_scheduler_type": "The rate falls in another way; mostly a small effect.",
    "warmup_steps": "Another warm-up; mostly a small effect.",
    "weight_decay": "Weight decay pulls weights to zero; with few updates a small effect.",
    "max_grad_norm": "Another limit for large gradients.",
    "optim": "Another optimizer, or other precision of its states.",
    "dtype": "Another precision of weights or products.",
    "lora_rank": "Adapters were trained instead of all weights.",
    "seed": "Another order of the pairs.",
}


@dataclass(frozen=True)
class Line:
    """One line of the recipe: what the card says and whether it states it, what was done here, and what that means."""

    what: str
    published: str
    status: str  # stated, assumed, or not stated
    here: str
    verdict: str  # same, different, or not known
    meaning: str = ""


def recipe(facts: RunFacts) -> list[Line]:
    """Every setting of the published recipe against this run; then what is no setting: pairs, processes, hardware."""
    published, lines = RunConfig(), []
    for setting in fields(RunConfig):
        source = setting.metadata["recipe"]
        if not source and setting.name != "lora_rank":
            continue
        card, here = getattr(published, setting.name), getattr(facts.config, setting.name)
        shown = {"model_name_or_path": facts.base_name, "pairs": facts.source}.get(setting.name, typed(here))
        is_same = card == here
        status = {CARD: STATED, ASSUMED: ASSUMED}.get(source, NOT_STATED)
        verdict = SAME if is_same else DIFFERENT
        meaning = "" if is_same else MEANINGS.get(setting.name, "")
        lines.append(Line(setting.name, typed(card), status, shown, verdict, meaning))
    return [*lines, *_others(facts)]


def _others(facts: RunFacts) -> Iterable[Line]:
    num_pairs = facts.manifest["facts"].get("num_pairs")
    is_same = num_pairs is not None and 4250 <= num_pairs < 4550  # 4.5 k, also without some for validation
    here = NOT_KNOWN if num_pairs is None else f"{num_pairs:,}"
    yield Line(
        "number of pairs", "4.5 k", STATED, here, _verdict(num_pairs, is_same),
        "" if is_same else "More or fewer examples, and so updates.",
    )  # fmt: skip
    newest = facts.environments[-1] if facts.environments else {}
    processes = newest.get("num_processes") or facts.config.num_processes or None
    is_sharded = bool(processes and processes > 1)
    here = {None: NOT_KNOWN, 1: "one process, not sharded"}.get(processes, f"FSDP2, {processes} processes")
    yield Line(
        "parallelism", "FSDP", STATED, here, _verdict(processes, is_sharded),
        "" if is_sharded else "The updates are the same on any number of processes.",
    )  # fmt: skip
    devices = " then ".join(dict.fromkeys(f"{one['num_processes']} × {one['device']}" for one in facts.environments))
    is_same = bool(re.fullmatch(r"8 × .*A100.*", devices))
    yield Line(
        "hardware", "8 A100", STATED, devices or NOT_KNOWN, _verdict(devices, is_same),
        "" if is_same else "Other rounding and another speed; the arithmetic is the same.",
    )  # fmt: skip
    seconds = facts.last.get("seconds")
    here = NOT_KNOWN if seconds is None else str(timedelta(seconds=round(seconds)))
    yield Line(
        "training time", "5 hours", STATED, here, _verdict(seconds, seconds is not None and 4.5 <= seconds / 3600 < 5.5)
    )


def _verdict(value: Any, is_same: bool) -> str:
    return NOT_KNOWN if not value else SAME if is_same else DIFFERENT


def record(facts: RunFacts, model_files: dict[str, str]) -> dict[str, Any]:
    """The content of `ledger.json`; `model_files` are the sha256 of the model's. It holds no path of this machine."""
    inputs, options = facts.pairs["inputs"], ("fields", "bad rows", "repairs", "benchmarks")
    return {
        "version": VERSION,
        "run": facts.run_dir.name,
        "recipe": [asdict(line) for line in recipe(facts)],
        "settings": portable(facts),
        "pairs": {"source": facts.source, "options": {name: inputs.get(name, "") for name in options}},
        "hashes": {
            "base": facts.base_identity,
            "base configuration": str(facts.manifest.get("base", "")),
            "source": inputs.get("content", ""),
            "pairs": {name: facts.pairs["files"][name] for name in ("train.jsonl", "validation.jsonl")},
            TOKENIZER: facts.tokens["inputs"].get("tokenizer", ""),
            "template": facts.tokens["inputs"].get("template", ""),
            "tokens": facts.tokens["files"],
            "code": facts.environments[-1]["code"] if facts.environments else "",
            "model": model_files,
        },
        "environments": facts.environments,
    }


def portable(facts: RunFacts) -> dict[str, Any]:
    """A run's settings without paths of this machine: of files and local models only the names; a hub model pinned."""
    settings = asdict(facts.config)
    for name in ("pairs", "eval_tasks"):
        if settings[name].lower().endswith(PAIR_SUFFIXES):
            settings[name] = Path(settings[name]).name
    if facts.is_from_hub:
        settings["revision"] = facts.base_identity or settings["revision"]
    elif Path(settings["model_name_or_path"]).is_absolute():
        settings["model_name_or_path"] = facts.base_name
    return settings


def read(release_dir: Path) -> dict[str, Any]:
    """The ledger of a release; raises `UserError` when it is missing, or not one."""
    path = Path(release_dir) / LEDGER
    try:
        found = files.read_json(path, RECORD)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: name the folder of a release, such as data/runs/<run>/release.") from (
            error
        )
    except UserError as error:
        raise UserError(f"{error} Or get the release again.") from error
    if found["version"] != VERSION:
        raise UserError(f"{path} is of version {found['version']}, and {VERSION} is known. Use the workbook it is of.")
    return found
