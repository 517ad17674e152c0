"""One contender of `make bench` in a process of its own: `python -m benchmarks.worker '{"trainer": …}' RESULT.json`.

A specification: `trainer` (one of `CONTENDERS`), `run_dir` (of our formats: its config.json is the job) and, for the
others, `layout`, `dtype` and `num_pairs` (in one forward pass). Every contender gets the same model, the same token ids
and labels in the same order, AdamW (fused), a constant learning rate and the same clipping.
"""

import importlib.util
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from utils import artifacts, hardware
from utils.config import RunConfig
from utils.errors import UserError
from utils.runs import metrics
from utils.tokens import dataset, packing
from utils.tokens.labels import IGNORE_INDEX
from utils.training.distributed import Ranks
from utils.training.trainer import Training


class Measured(Training):
    """Our training, to the end, without writing checkpoints: the others write none either.

    With `is_saved` the model is written at the end, which is timed, and removed. The untrained one is removed before:
    a disk may not hold two.
    """

    def __init__(self, *args, is_saved: bool = False):
        super().__init__(*args)
        self.is_saved = is_saved
        self.times: list[float] = []
        self.save_seconds: float | None = None

    def update(self, *args) -> dict[str, Any]:
        result = super().update(*args)
        self.times.append(time.perf_counter())
        return result

    def save_checkpoint(self) -> None: ...

    def save_model(self) -> None:
        if not self.is_saved:
            return
        for path in Path(self.config.model_name_or_path).glob("*.safetensors"):
            path.unlink()
        start = time.perf_counter()
        super().save_model()
        self.save_seconds = time.perf_counter() - start
        shutil.rmtree(self.run_dir / "model")


def job(run_dir: Path) -> tuple[RunConfig, dataset.TokenRows, list[np.ndarray]]:
    config = RunConfig.load(run_dir / "config.json")
    rows = dataset.load(artifacts.tokens_dir(run_dir.parents[1], config), "train")
    chosen = packing.choose_rows(rows, config.max_length, config.max_train_samples, config.seed)
    count = packing.num_updates(len(chosen), config.train_batch_size, config.num_train_epochs)
    return config, rows, [packing.update_rows(chosen, config.train_batch_size, config.seed, i) for i in range(count)]


def network_of(config: RunConfig, dtype: str = "float32"):
    """The job's model without dropout, with transformers' own attention."""
    model_config = transformers.AutoConfig.from_pretrained(config.model_name_or_path)
    model_config.attn_pdrop = model_config.resid_pdrop = model_config.embd_pdrop = 0.0
    return AutoModelForCausalLM.from_pretrained(
        config.model_name_or_path, config=model_config, dtype=getattr(torch, dtype), attn_implementation="sdpa"
    )


def examples_of(rows: dataset.TokenRows, updates: list[np.ndarray]) -> list[dict[str, list[int]]]:
    """Every pair in the order of the updates, its ids and labels those that our blocks hold."""
    blocks = [packing.build_block(rows, [int(row)]) for update in updates for row in update]
    return [{"input_ids": block.input_ids.tolist(), "labels": block.labels.tolist()} for block in blocks]


def collator_of(config: RunConfig) -> DataCollatorForSeq2Seq:
    return DataCollatorForSeq2Seq(AutoTokenizer.from_pretrained(config.model_name_or_path))


class Clock(TrainerCallback):
    def __init__(self):
        self.times: list[float] = []

    def on_step_end(self, args, state, control, **kwargs):
        self.times.append(time.perf_counter())


def trainer_settings(config: RunConfig, spec: dict[str, Any]) -> dict[str, Any]:
    """What `TrainingArguments` and `SFTConfig` are both given; memory is not short, so nothing is recomputed."""
    return dict(
        output_dir=str(Path(spec["run_dir"]) / "trainer"), per_device_train_batch_size=spec["num_pairs"],
        gradient_accumulation_steps=config.train_batch_size // spec["num_pairs"],
        num_train_epochs=config.num_train_epochs, learning_rate=config.learning_rate, lr_scheduler_type="constant",
        weight_decay=config.weight_decay, max_grad_norm=config.max_grad_norm, optim="adamw_torch_fused",
        adam_beta1=config.adam_beta1, adam_beta2=config.adam_beta2, adam_epsilon=config.adam_epsilon,
        bf16=spec["dtype"] == "bfloat16", gradient_checkpointing=False, train_sampling_strategy="sequential",
        logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True, seed=config.seed,
        use_cpu=not torch.cuda.is_available(), dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
    )  # fmt: skip


def run_trainer(trainer: Trainer, clock: Clock, num_tokens: list[int]) -> dict[str, Any]:
    trainer.train()
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    return {"losses": losses, "times": clock.times, "num_tokens": num_tokens}


def run_transformers(spec: dict[str, Any]) -> dict[str, Any]:
    """`transformers.Trainer`, every forward pass padded to its longest pair."""
    config, rows, updates = job(Path(spec["run_dir"]))
    clock = Clock()
    trainer = Trainer(
        network_of(config, weights_dtype(spec)), TrainingArguments(**trainer_settings(config, spec)),
        data_collator=collator_of(config), train_dataset=examples_of(rows, updates),
        callbacks=[clock],
    )  # fmt: skip
    return run_trainer(trainer, clock, [int(rows.lengths[update].sum()) for update in updates])


def run_trl(spec: dict[str, Any]) -> dict[str, Any]:
    """TRL's `SFTTrainer`: `padded`, `padding-free` (both the same updates as ours) or `packed`.

    Its packing chooses for itself which pairs share a block: an update is then as many blocks of `max_length` as hold
    the tokens of `train_batch_size` pairs, so its updates are like ours in size only.
    """
    if not importlib.util.find_spec("trl"):
        raise UserError("trl is not installed")
    from datasets import Dataset

    trl = importlib.import_module("trl")  # not an import statement: `make bench` alone installs it
    config, rows, updates = job(Path(spec["run_dir"]))
    settings = trainer_settings(config, spec) | dict(max_length=config.max_length)
    num_tokens = [int(rows.lengths[update].sum()) for update in updates]
    if spec["layout"] == "padding-free":
        settings |= dict(padding_free=True, max_length=None)
    elif spec["layout"] == "packed":
        blocks = max(1, round(statistics.mean(num_tokens) / config.max_length / spec["num_pairs"]))
        settings |= dict(packing=True, packing_strategy="bfd", gradient_accumulation_steps=blocks)
    clock = Clock()
    trainer = trl.SFTTrainer(
        network_of(config, weights_dtype(spec)), trl.SFTConfig(**settings),
        train_dataset=Dataset.from_list(examples_of(rows, updates)), callbacks=[clock],
        processing_class=AutoTokenizer.from_pretrained(config.model_name_or_path),
    )  # fmt: skip
    if spec["layout"] == "packed":
        lengths, size = [len(ids) for ids in trainer.train_dataset["input_ids"]], blocks * spec["num_pairs"]
        num_tokens = [sum(lengths[start : start + size]) for start in range(0, len(lengths), size)]
    return run_trainer(trainer, clock, num_tokens)


def weights_dtype(spec: dict[str, Any]) -> str:
    return "bfloat16" if spec["dtype"] == "bfloat16_weights" else "float32"


def run_plain(spec: dict[str, Any]) -> dict[str, Any]:
    """The yardstick of the loss: a float32 loop over padded pairs, torch's cross-entropy and AdamW, nothing clever."""
    config, rows, updates = job(Path(spec["run_dir"]))
    device, collator = own_device(), collator_of(config)
    network = network_of(config).to(device).train()
    betas = (config.adam_beta1, config.adam_beta2)
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, betas, config.adam_epsilon, config.weight_decay
    )
    losses, times = [], []
    for update in updates:
        batch = collator(examples_of(rows, [update])).to(device)
        targets = batch.pop("labels")[:, 1:].flatten()
        logits = network(**batch, use_cache=False).logits[:, :-1]  # (B, T - 1, vocabulary)
        loss = functional.cross_entropy(logits.flatten(0, 1), targets, ignore_index=IGNORE_INDEX)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        times.append(time.perf_counter())
    return {"losses": losses, "times": times, "num_tokens": [int(rows.lengths[update].sum()) for update in updates]}


def run_ours(spec: dict[str, Any]) -> dict[str, Any]:
    """`utils.training.trainer` itself; under torchrun on several ranks.

    Loading lasts from the tokens on disk to model and optimizer on the device; the files may be in the system's cache.
    """
    run_dir = Path(spec["run_dir"])
    ranks = Ranks.join()
    start = time.perf_counter()
    training = Measured(run_dir, RunConfig.load(run_dir / "config.json"), ranks, is_saved=spec.get("save", False))
    load_seconds = time.perf_counter() - start
    training.train()
    ranks.leave()
    lines = metrics.train_lines(metrics.read(run_dir))
    per_token, per_target = training.flops
    return {
        "losses": [line["loss"] for line in lines],
        "times": training.times,
        "num_tokens": [line["num_tokens"] for line in lines],
        "flop": [per_token * line["num_computed_tokens"] + per_target * line["num_target_tokens"] for line in lines],
        "flop_per_second": training.matrix_rate,
        "memory_bytes": max(line["memory_bytes"] for line in lines),
        "load_seconds": load_seconds,
        "save_seconds": training.save_seconds,
    }


def own_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


CONTENDERS = {"ours": run_ours, "trl": run_trl, "transformers": run_transformers, "plain": run_plain}


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """What a contender measured: per update `losses`, `times` (seconds, any zero) and `num_tokens` without padding.

    Beside them `memory_bytes`, the peak of this process on its device.
    """
    transformers.logging.set_verbosity_error()
    device = own_device()
    # Ours does so itself, and no more than it has to.
    is_float32 = spec["trainer"] == "ours" or spec["dtype"] == "float32"
    with hardware.float32_products("float32" if is_float32 else "bfloat16", device):
        result = CONTENDERS[spec["trainer"]](spec)
    peak_bytes = hardware.peak_memory_bytes(device)
    return {"memory_bytes": peak_bytes, "num_threads": torch.get_num_threads()} | result


if __name__ == "__main__":
    result = run(json.loads(sys.argv[1]))
    if int(os.environ.get("RANK", 0)) == 0:
        Path(sys.argv[2]).write_text(json.dumps(result))
