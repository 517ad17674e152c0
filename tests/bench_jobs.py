"""The jobs of `make bench`: a model with random weights, its token rows and run folders, in the workbook's formats."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GPTBigCodeConfig, PreTrainedTokenizerFast

from utils import artifacts, packing
from utils.config import RunConfig
from utils.errors import UserError
from utils.model import SPECIAL_TOKENS

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


def load_pairs(shared: Path, num_pairs: int) -> list[dict[str, str]]:
    """The first pairs of GPTeacher; raises `UserError` when the file is not there."""
    path = shared / "gpteacher" / "codegen-instruct.json"
    if not path.exists():
        raise UserError(f"{path} is missing: give the folder with gpteacher/ and starcoder2-tokenizer/ as --shared.")
    rows = json.loads(path.read_text(encoding="utf-8"))[:num_pairs]
    return [{key: row[key] for key in ("instruction", "input", "response")} for row in rows]


def load_tokenizer(shared: Path) -> PreTrainedTokenizerFast:
    """StarCoder2's tokenizer, of the same size and with the same special tokens as StarCoder's."""
    path = shared / "starcoder2-tokenizer" / "tokenizer.json"
    if not path.exists():
        raise UserError(f"{path} is missing: give the folder with gpteacher/ and starcoder2-tokenizer/ as --shared.")
    return PreTrainedTokenizerFast(
        tokenizer_file=str(path), bos_token=SPECIAL_TOKENS[0], eos_token=SPECIAL_TOKENS[0], pad_token=SPECIAL_TOKENS[4]
    )


def build_model(folder: Path, shape: str, tokenizer: PreTrainedTokenizerFast, device: str = "cpu") -> None:
    """Save a model of this shape with random weights, dropout 0 and the tokenizer; large ones in bfloat16."""
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
    """The pairs and their tokens as notebooks 01 and 02 leave them, every pair kept and none set aside."""
    with artifacts.building(artifacts.pairs_dir(data_dir, config.pairs), {}, {}) as folder:
        (folder / "train.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
        (folder / "validation.jsonl").touch()
    packing.prepare(data_dir, config, tokenizer)


def build_run(data_dir: Path, name: str, config: RunConfig, **changes: Any) -> Path:
    """An empty run folder with these settings."""
    run_dir = data_dir / "runs" / name
    run_dir.mkdir(parents=True)
    config.with_changes(**changes).save(run_dir / "config.json")
    return run_dir


def build_job(data_dir: Path, shape: str, pairs: list[dict[str, str]], tokenizer, **settings: Any) -> RunConfig:
    """Model, pairs and tokens of a job in `data_dir`; its settings, one epoch at a constant rate unless told."""
    build_model(data_dir / "models" / shape, shape, tokenizer, settings.pop("device", "cpu"))
    config = RunConfig(
        model_name_or_path=str(data_dir / "models" / shape), pairs=f"first-{len(pairs)}", num_processes=1,
        **dict(num_train_epochs=1.0, lr_scheduler_type="constant", warmup_steps=0.0, eval_steps=10**6,
               save_steps=10**6, max_length=1024, learning_rate=1e-4) | settings,
    )  # fmt: skip
    build_tokens(data_dir, config, pairs, tokenizer)
    return config
