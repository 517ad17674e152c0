"""A data folder and a model small enough to train in a second."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, GPTBigCodeConfig, GPTBigCodeForCausalLM, PreTrainedTokenizerFast

from utils.config import RunConfig
from utils.data import pairs
from utils.model.loading import SPECIAL_TOKENS
from utils.tokens import dataset

RESPONSES = ["def add(a, b):\n    return a + b", "The sum of two numbers.", "for i in range(10):\n    print(i)"]


def make_world(folder: Path, num_pairs: int = 40) -> tuple[Path, RunConfig]:
    """A data folder with tokens of some pairs and a model small enough to train in a second, and its settings."""
    data_dir, model_dir, pairs_file = folder / "data", folder / "model", folder / "some.jsonl"
    rows = [
        {
            "instruction": f"Number {i}: say it {i} times.",
            "input": "x" * (i % 3),
            "response": RESPONSES[i % 3] * (i % 5 + 1),
        }
        for i in range(num_pairs)
    ]
    pairs_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([row["response"] for row in rows], trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=SPECIAL_TOKENS[0], pad_token=SPECIAL_TOKENS[4]
    ).save_pretrained(model_dir)
    torch.manual_seed(0)
    # Dropout as StarCoder's own configuration has it: training must switch it off.
    shape = dict(n_layer=2, n_embd=32, n_head=4, n_positions=512, vocab_size=320, attn_pdrop=0.1, resid_pdrop=0.1)
    GPTBigCodeForCausalLM(GPTBigCodeConfig(**shape, eos_token_id=0, bos_token_id=0)).save_pretrained(model_dir)
    config = RunConfig(
        preset="tiny", model_name_or_path=str(model_dir), pairs=str(pairs_file), max_length=400, num_train_epochs=2.0,
        learning_rate=1e-2, train_batch_size=8, dtype="float32", tokens_per_device=512, num_processes=1,
        eval_steps=4, save_steps=3,
    )  # fmt: skip
    pairs.prepare(config.pairs, data_dir)
    dataset.prepare(data_dir, config, AutoTokenizer.from_pretrained(model_dir))
    return data_dir, config
