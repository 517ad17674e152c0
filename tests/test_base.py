"""The embedded base, as anybody finds it: plain transformers, offline, and nothing of this package."""

import json
import subprocess
import sys

import pytest

from benchmarks.answers import bits_per_byte
from utils.artifacts import ROOT
from utils.data import pairs
from utils.model import loading
from utils.pretraining import code_files
from utils.pretraining.corpus import MAX_BASE_BYTES

BASE = ROOT / "data" / "base"
PLAIN = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained(sys.argv[1]), AutoModelForCausalLM.from_pretrained(sys.argv[1])
prompt = "def add(a, b):\\n    return a"
with torch.no_grad():
    tokens = torch.tensor([tokenizer(prompt).input_ids])
    loss = model(tokens, labels=tokens).loss.item()
print(json.dumps({
    "class": type(model).__name__, "multi_query": model.config.multi_query, "dtype": str(model.dtype),
    "special": tokenizer.convert_ids_to_tokens(range(5)), "digits": tokenizer.tokenize("2025"),
    "loss": loss, "back": tokenizer.decode(tokens[0]),
    "loaded": "utils" in sys.modules, "parameters": model.num_parameters(),
}))
"""


@pytest.mark.slow
def test_plain_transformers_loads_the_base_offline(tmp_path):
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", PLAIN, str(BASE)]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["class"], found["multi_query"], found["dtype"]) == ("GPTBigCodeForCausalLM", True, "torch.bfloat16")
    assert found["special"] == loading.SPECIAL_TOKENS and found["digits"] == list("2025")
    assert found["back"] == "def add(a, b):\n    return a" and not found["loaded"]
    assert found["loss"] < 4


def test_the_base_is_small_and_the_workbook_starts_from_it():
    assert {path.name for path in BASE.iterdir()} >= {"config.json", "tokenizer.json", "model.safetensors"}
    assert (BASE / "model.safetensors").stat().st_size <= MAX_BASE_BYTES
    assert loading.locate("embedded") == str(BASE)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_base_knows_python_that_it_was_not_trained_on():
    documents = [one for one in code_files.standard_library() if one.split == pairs.VALIDATION]
    text = min((one.text for one in documents if len(one.text) > 3000), key=len)
    assert bits_per_byte(*loading.load("embedded"), [text]) < 1.5
