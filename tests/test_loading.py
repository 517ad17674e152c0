"""Models: what cannot be loaded is said in words, and the embedded base is a small StarCoder."""

import json
from contextlib import nullcontext

import pytest
import torch
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    GPTBigCodeConfig,
    LlamaConfig,
    YoutuConfig,
)

from utils.errors import UserError
from utils.model import loading, sharding
from utils.playground.model_pool import LoadedModels


def test_a_fresh_model_is_a_small_starcoder_and_the_same_everywhere(tmp_path):
    for name in ("one", "two"):
        loading.create_fresh(tmp_path / name, ["def add(a, b):\n    return a + b\n" * 20], vocab_size=300)
    (network, tokenizer), (other, _) = (loading.load(str(tmp_path / name)) for name in ("one", "two"))
    assert network.config.model_type == "gpt_bigcode" and network.config.multi_query
    assert tokenizer.convert_tokens_to_ids(loading.SPECIAL_TOKENS) == [0, 1, 2, 3, 4]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 4)
    text = "def f(x):\n\treturn 'é🙂' + str(1234)\n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert {"1", "2", "3", "4"} <= set(tokenizer.tokenize("1234")), "digits are split, as StarCoder splits them"
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    "cause, message",
    [
        (GatedRepoError, "gated. Accept its licence at https://huggingface.co/bigcode/starcoder.*hf auth login"),
        (RepositoryNotFoundError, "no model 'bigcode/starcoder' that you may see"),
        (LocalEntryNotFoundError, "cannot be fetched from the hub.*Check the network"),
    ],
)
def test_a_hub_that_does_not_give_the_model_is_said_in_words(cause, message, monkeypatch):
    asked = []

    class Refusing:
        @staticmethod
        def from_pretrained(source, **options):
            asked.append((source, options["revision"]))
            # As transformers does it: an OSError, and the hub's own error behind it.
            raise OSError("a long text") from cause.__new__(cause)

    monkeypatch.setattr(loading, "AutoConfig", Refusing)
    monkeypatch.setattr("utils.model.hub_access._answers", lambda *_: True)
    for name in ("bigcode/starcoder", "bigcode/starcoder@9fc30b5"):
        with pytest.raises(UserError, match=message):
            LoadedModels().get(name)
    assert asked == [("bigcode/starcoder", "main"), ("bigcode/starcoder", "9fc30b5")]


@pytest.mark.parametrize("name", ["no/such/folder", "./here", "starcoder", "embedded@main"])
def test_a_name_that_is_no_model_is_refused(name, tmp_path):
    with pytest.raises(UserError, match="no model at"):
        loading.load(name)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no model that transformers can load"):
        loading.load_tokenizer(str(tmp_path))


def test_weights_that_are_no_safetensors_are_refused(world, tmp_path):
    source = world[1].model_name_or_path
    network = AutoModelForCausalLM.from_pretrained(source)
    loading.load_tokenizer(source).save_pretrained(tmp_path / "pickled")
    network.config.save_pretrained(tmp_path / "pickled")
    torch.save(network.state_dict(), tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(UserError):
        loading.load(str(tmp_path / "pickled"))


def test_code_that_comes_with_a_model_is_not_run_and_nobody_is_asked(world, tmp_path, monkeypatch):
    folder = tmp_path / "evil"
    loading.load_tokenizer(world[1].model_name_or_path).save_pretrained(folder)
    config = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setattr("builtins.input", lambda question: "y")
    with pytest.raises(UserError):
        LoadedModels().get(str(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("configured", [None, 7, [0]])
def test_a_saved_model_stops_where_the_tokenizer_ends_a_text(world, tmp_path, configured):
    network, tokenizer = loading.load(world[1].model_name_or_path)
    network.generation_config.eos_token_id = configured
    loading.save(network, tokenizer, tmp_path / "saved")
    ends = GenerationConfig.from_pretrained(tmp_path / "saved").eos_token_id
    assert ends == ([0, 7] if configured == 7 else 0) and tokenizer.eos_token_id == 0


@pytest.mark.parametrize("pad_token_id, is_refused", [(None, False), (0, True)])
def test_an_architecture_that_changes_loaded_embeddings_is_refused(tmp_path, pad_token_id, is_refused):
    config = YoutuConfig(
        **SHAPE, num_key_value_heads=4, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8,
        v_head_dim=8, pad_token_id=pad_token_id, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    with (
        pytest.raises(UserError, match="the padding token to zero in YoutuForCausalLM") if is_refused else nullcontext()
    ):
        loading._load_model(str(tmp_path), "main")


SHAPE = dict(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4)


@pytest.mark.parametrize(
    "config, blocks",
    [
        (GPTBigCodeConfig(n_layer=3, n_embd=32, n_head=4, n_positions=64, vocab_size=64), "transformer.h.*"),
        (LlamaConfig(**SHAPE), "model.layers.*"),
    ],
)
def test_any_causal_model_is_sharded_by_its_blocks(config, blocks):
    assert sharding.fsdp_plan(config, True) == {blocks: "free_full_weight"}


@pytest.mark.parametrize("device, num_ranks, lora_rank", [("cpu", 2, 0), ("cuda", 1, 0), ("cuda", 2, 4)])
def test_offload_is_refused_where_there_is_nothing_to_offload_from(world, device, num_ranks, lora_rank):
    config = world[1].with_changes(cpu_offload=True, lora_rank=lora_rank)
    with pytest.raises(UserError, match="cpu_offload needs several GPU processes and full fine-tuning"):
        loading.load_for_training(config, torch.device(device), num_ranks)
