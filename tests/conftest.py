"""What several test files need: a clean environment, the shared data, and skipping that CI does not forgive."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, GPTBigCodeConfig, GPTBigCodeForCausalLM, PreTrainedTokenizerFast

from utils import machine, packing, pairs, samples, workbook
from utils.artifacts import ROOT
from utils.config import RunConfig
from utils.model import SPECIAL_TOKENS


@pytest.fixture(autouse=True)
def _no_choices(monkeypatch):
    """The notebooks' parameters of whoever runs the tests do not reach them."""
    for name in workbook.CHOICES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _short_probes():
    """What every run does besides training takes no time: its matrix rate, and the length of its samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(machine.SIZES, "cpu", 128)
        patch.setattr(samples, "MAX_NEW_TOKENS", 16)
        yield


@pytest.fixture(scope="session")
def needs():
    """`needs(condition, reason)`: go on when the machine has what a test needs, else skip, or fail where `CI=true`."""

    def check(condition: bool, reason: str) -> None:
        if not condition and os.environ.get("CI") == "true":
            pytest.fail(f"{reason} (with CI=true this is a failure)")
        if not condition:
            pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def shared_data():
    """The folder with copies of the real data; the test is skipped where there is none, in CI too."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there")
    return folder


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
    packing.prepare(data_dir, config, AutoTokenizer.from_pretrained(model_dir))
    return data_dir, config


@pytest.fixture(scope="session")
def library_pairs(tmp_path_factory):
    """The folder with the pairs of the standard library, as `pairs.prepare` makes it; nothing there is changed."""
    return pairs.prepare("python-stdlib", tmp_path_factory.mktemp("library"))[0]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """`make_world`, shared: tests make runs of their own in its `runs/` and change nothing else."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def new_run(world):
    """`new_run(name, **changes)`: the folder of a run with these settings, ready to train."""
    data_dir, config = world
    made = []

    def make(name, **changes):
        run_dir = data_dir / "runs" / name
        run_dir.mkdir(parents=True)
        config.with_changes(**changes).save(run_dir / "config.json")
        made.append(run_dir)
        return run_dir

    yield make
    for run_dir in made:
        shutil.rmtree(run_dir)
