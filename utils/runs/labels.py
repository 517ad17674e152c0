"""What runs are called: a label and a note that a person gives, else the settings in which they differ.

Both are in `about.json` in the run's folder, as they were typed: pages must escape them.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from utils import files
from utils.config import RunConfig
from utils.errors import UserError, encodable, visible

ABOUT = "about.json"
MAX_LABEL, MAX_NOTE, MAX_SETTINGS = 60, 10_000, 3
# How settings are shortened, the most telling first; others are named in full.
SHORT = {
    "model_name_or_path": "from {}",
    "learning_rate": "lr {}",
    "num_train_epochs": "{} epochs",
    "train_batch_size": "batch {}",
    "max_train_samples": "{} pairs",
    "lora_rank": "LoRA rank {}",
    "lr_scheduler_type": "{}",
    "optim": "{}",
    "warmup_steps": "warm-up {}",
    "max_length": "{} tokens",
    "seed": "seed {}",
}
# They have a place of their own, or change no weight.
NOT_TELLING = {
    *("preset", "pairs", "revision", "num_processes", "max_restarts", "eval_steps", "save_steps", "save_total_limit"),
    *("num_samples", "eval_tasks", "report_to", "max_eval_samples", "tokens_per_device", "activation_checkpointing"),
    *("reshard_after_forward", "cpu_offload", "torch_compile"),
}


@dataclass(frozen=True)
class About:
    """A person's label, one line, and note for a run; raises `UserError` when they are too long."""

    label: str = ""
    note: str = ""

    def __post_init__(self):
        for name, limit in (("label", MAX_LABEL), ("note", MAX_NOTE)):
            text = encodable(getattr(self, name)).strip()
            object.__setattr__(self, name, " ".join(text.split()) if name == "label" else text)
            if len(text) > limit:
                raise UserError(f"a {name} may have {limit:,} characters, got {len(text):,}. Shorten it.", name)


def read(run_dir: Path) -> About:
    """A run's label and note; empty without any. Raises `UserError` for a damaged file."""
    try:
        found = files.read_json(Path(run_dir) / ABOUT, {"label": str, "note": str})
        return About(found["label"], found["note"])
    except FileNotFoundError:
        return About()


def write(run_dir: Path, about: About) -> None:
    """Save a run's label and note; raises `UserError` for a damaged file, which is left alone, and a missing run."""
    if read(run_dir) != about:
        files.write_json(Path(run_dir) / ABOUT, asdict(about))


def about(run_dir: Path) -> About:
    """As `read`, and empty for a damaged file: for lists."""
    with suppress(UserError):
        return read(run_dir)
    return About()


def labels(configs: Mapping[str, RunConfig], given: Mapping[str, str]) -> dict[str, str]:
    """A label for each run, by the name of its folder: the one given, else its settings, such as `lr 2e-4, 1 epoch`.

    These are the settings in which the runs differ, or those that differ from its preset where the runs have equal
    settings or several presets; "" where there are none.
    """
    settings = [asdict(config) for config in configs.values()]
    common = settings[0] if len({config.preset for config in configs.values()}) == 1 else {}
    between = [name for name in _telling(common) if any(other[name] != common[name] for other in settings)]
    return {
        name: visible(given.get(name) or _in_words(config, between or _changed(config)))
        for name, config in configs.items()
    }


def title(name: str, label: str) -> str:
    """What lists and legends call a run: its label and the name of its folder, which is unique."""
    return f"{label} · {name}" if label else name


def _telling(names) -> list[str]:
    known = [name for name in names if name not in NOT_TELLING]
    return sorted(known, key=lambda name: [*SHORT, name].index(name))


def _changed(config: RunConfig) -> list[str]:
    """The telling settings that are not as in the run's preset; none for a preset that is not known any more."""
    with suppress(UserError):
        preset = asdict(RunConfig.from_preset(config.preset))
        return [name for name in _telling(preset) if getattr(config, name) != preset[name]]
    return []


def _in_words(config: RunConfig, names: list[str]) -> str:
    words = [SHORT.get(name, name + " {}").format(typed(getattr(config, name), name)) for name in names[:MAX_SETTINGS]]
    words = ["1 epoch" if text == "1 epochs" else "all pairs" if text == "0 pairs" else text for text in words]
    return ", ".join([*words, *(["…"] if len(names) > MAX_SETTINGS else [])])


def typed(value: Any, name: str = "") -> str:
    """A setting as a person types it: 2e-4, not 0.0002; of a model's folder the run, or the last part."""
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        return f"{Decimal(repr(value)):e}".replace("e-0", "e-")
    if name == "model_name_or_path":
        path = Path(value)
        return path.parent.name if path.name == "model" else path.name
    return f"{value:g}" if isinstance(value, float) else str(value)
