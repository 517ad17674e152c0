"""The jobs of `make bench`: models with random weights, token rows and run folders, and the processes that run them."""

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from transformers import AutoModelForCausalLM, GPTBigCodeConfig, PreTrainedTokenizerFast

from benchmarks import table
from benchmarks.table import Result
from utils import artifacts
from utils.artifacts import ROOT
from utils.config import RunConfig
from utils.errors import UserError
from utils.model.loading import SPECIAL_TOKENS
from utils.runs import launch
from utils.tokens import dataset

VOCABULARY = 49_152
# Layers, heads, width and positions of the family of bigcode/starcoder, beside them the jobs that a laptop can do.
SHAPES = {
    "tiny": (2, 4, 128, 1024),
    "42M": (6, 8, 512, 1024),
    "164M": (20, 12, 768, 8192),
    "1.1B": (24, 16, 2048, 8192),
    "3.0B": (36, 22, 2816, 8192),
    "7.3B": (42, 32, 4096, 8192),
    "15.5B": (40, 48, 6144, 8192),
}


def _required(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"{path} is missing: give the folder with gpteacher/ and starcoder2-tokenizer/ as --shared.")
    return path


def load_pairs(shared: Path, num_pairs: int) -> list[dict[str, str]]:
    path = _required(shared / "gpteacher" / "codegen-instruct.json")
    rows = json.loads(path.read_text(encoding="utf-8"))[:num_pairs]
    return [{key: row[key] for key in ("instruction", "input", "response")} for row in rows]


def load_tokenizer(shared: Path) -> PreTrainedTokenizerFast:
    """StarCoder2's tokenizer, of the same size and with the same special tokens as StarCoder's."""
    path = _required(shared / "starcoder2-tokenizer" / "tokenizer.json")
    return PreTrainedTokenizerFast(
        tokenizer_file=str(path), bos_token=SPECIAL_TOKENS[0], eos_token=SPECIAL_TOKENS[0], pad_token=SPECIAL_TOKENS[4]
    )


def build_model(folder: Path, shape: str, tokenizer: PreTrainedTokenizerFast, device: str = "cpu") -> None:
    """Save a model of this shape with random weights, dropout 0 and the tokenizer; large ones in bfloat16.

    Kept as it is where its weights are there.
    """
    if any(folder.glob("*.safetensors")):
        return
    layers, heads, width, positions = SHAPES[shape]
    config = GPTBigCodeConfig(
        vocab_size=VOCABULARY, n_positions=positions, n_embd=width, n_layer=layers, n_head=heads,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    dtype = torch.bfloat16 if width > 512 else torch.float32
    with torch.device(device):
        network = AutoModelForCausalLM.from_config(config, dtype=dtype)
    network.save_pretrained(folder)
    del network
    if device == "cuda":
        torch.cuda.empty_cache()  # the memory belongs to the process that is measured
    tokenizer.save_pretrained(folder)


def build_tokens(data_dir: Path, config: RunConfig, pairs: list[dict[str, str]], tokenizer) -> None:
    with artifacts.building(artifacts.pairs_dir(data_dir, config.pairs), {}, {}) as folder:
        (folder / "train.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
        (folder / "validation.jsonl").touch()
    dataset.prepare(data_dir, config, tokenizer)


def build_job(data_dir: Path, shape: str, pairs: list[dict[str, str]], tokenizer, **settings: Any) -> RunConfig:
    """Model, pairs and tokens of a job in `data_dir`; its settings, one epoch at a constant rate by default."""
    build_model(data_dir / "models" / shape, shape, tokenizer, settings.pop("device", "cpu"))
    config = RunConfig(
        model_name_or_path=str(data_dir / "models" / shape), pairs=f"first-{len(pairs)}", num_processes=1,
        **dict(num_train_epochs=1.0, lr_scheduler_type="constant", warmup_steps=0.0, eval_steps=10**6,
               save_steps=10**6, max_length=min(1024, SHAPES[shape][3]), learning_rate=1e-4) | settings,
    )  # fmt: skip
    build_tokens(data_dir, config, pairs, tokenizer)
    return config


def environment_of(config: RunConfig) -> dict[str, str]:
    """What `utils.runs.launch` gives a run's processes, and where the packages are."""
    environment = launch._environment(config, 30)
    paths = [str(ROOT), str(ROOT / "tests"), environment.get("PYTHONPATH", "")]
    return environment | {"PYTHONPATH": os.pathsep.join(paths)}


def in_fresh_process(function: Callable, *arguments: Any) -> Any:
    environment = environment_of(RunConfig(num_processes=1))
    with patch.dict(os.environ, environment), ProcessPoolExecutor(1, get_context("spawn")) as pool:
        result = pool.submit(function, *arguments).result()
    print(f"  {function.__name__} {arguments}: {result}", flush=True)
    return result


def run_worker(
    spec: dict[str, Any], config: RunConfig, device: str = "cpu", num_ranks: int = 1, seconds: float = math.inf
) -> Result:
    """Run `worker.py` in one process, or under torchrun; raises `UserError` with its last error, or after so many
    seconds."""
    result = Path(spec["run_dir"]) / "result.json"
    launcher = ["-m", "torch.distributed.run", *launch.RENDEZVOUS, "--nproc_per_node", str(num_ranks)]
    arguments = ["-m", "benchmarks.worker", json.dumps(spec), str(result)]
    environment = environment_of(config.with_changes(num_processes=num_ranks)) | launch.RENDEZVOUS_VARIABLES
    # One GPU: of several, `Trainer` would take all.
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    environment["CUDA_VISIBLE_DEVICES"] = "" if device == "cpu" else first
    command = [sys.executable, *(launcher if num_ranks > 1 else []), *arguments]
    timeout = None if math.isinf(seconds) else max(0.0, seconds)
    try:
        process = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise UserError(f"stopped after {timeout:.0f} s: the command's --seconds were over") from None
    if process.returncode:
        print(process.stderr[-3000:], file=sys.stderr, flush=True)
        errors = re.findall(r"^[\w.]*(?:Error|Exception)\b.*", process.stderr, re.MULTILINE)
        reason = errors[-1] if errors else f"ended with status {process.returncode}"
        raise UserError(reason.removeprefix("utils.errors.UserError: "))
    return json.loads(result.read_text(encoding="utf-8"))


@dataclass
class Bench:
    """Measures contenders on one device, each in a process of its own, and remembers which of them failed.

    `deadline`, in seconds of `time.monotonic`, is when the last of them is stopped; `variant` is a pattern, as of a
    shell, for the names of those that are measured on a GPU.
    """

    data_dir: Path
    device: str = "cpu"
    deadline: float = math.inf
    variant: str = "*"
    run: Callable[..., Result] = run_worker
    failures: list[str] = field(default_factory=list)

    def chosen(self, specs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [spec for spec in specs if fnmatch(table.name_of(spec), self.variant)]

    def measure(self, config: RunConfig, spec: dict[str, Any], num_ranks: int = 1) -> Result:
        """Run a contender in a new run folder: what it measured, or why it `failed`; its specification and its name."""
        result = {"name": table.name_of(spec), "spec": spec}
        run_dir = self.data_dir / "runs" / f"{time.time_ns()}-{artifacts.slug(result['name'])}"
        run_dir.mkdir(parents=True)
        try:
            if spec["trainer"] == "ours":
                config = config.with_changes(**{"dtype": spec["dtype"]} | spec.get("settings", {}))
            config.save(run_dir / "config.json")
            seconds = self.deadline - time.monotonic()
            result |= self.run(
                spec | {"run_dir": str(run_dir)}, config, device=self.device, num_ranks=num_ranks, seconds=seconds
            )
        except UserError as error:
            return self.failed(result, error)
        print(f"  {result['name']}: {table.tokens_per_second([result]):,.0f} tokens/s", flush=True)
        return result

    def failed(self, result: Result, error: Exception) -> Result:
        """The result with the reason of its failure, which is printed and remembered."""
        reason = table.reason(error)
        print(f"  {result['name']}: not measured: {reason}", flush=True)
        self.failures.append(result["name"])
        return result | {"failed": reason}
