"""Settings: the recipe is the default, every value is checked, and files are read back exactly."""

import json
import math

import pytest

from utils.config import PRESETS, RunConfig
from utils.errors import UserError


def test_the_defaults_are_the_published_recipe():
    config = RunConfig()
    assert (config.num_train_epochs, config.learning_rate, config.max_length) == (3.0, 2e-5, 1024)
    assert config.model_name_or_path == "bigcode/starcoder" and config.pairs == "gpteacher-codegen"
    recipe = RunConfig.from_preset("starcoder")
    assert (recipe.num_train_epochs, recipe.learning_rate, recipe.max_length) == (3.0, 2e-5, 1024)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid_and_survives_a_file(preset, tmp_path):
    config = RunConfig.from_preset(preset)
    config.save(tmp_path / "config.json")
    assert RunConfig.load(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lerning_rate": 1e-3}, r"^unknown setting 'lerning_rate'. Did you mean 'learning_rate'\?$"),
        ({"zzz": 1}, "unknown setting 'zzz'. Allowed: 'preset', "),
        ({"seed": 1.5}, "seed must be a whole number, got 1.5"),
        ({"cpu_offload": 1}, "cpu_offload must be true or false, got 1"),
        ({"learning_rate": math.nan}, "learning_rate must be between"),
        ({"learning_rate": -1.0}, "learning_rate must be between"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
        ({"num_train_epochs": True}, "num_train_epochs must be a number"),
        ({"train_batch_size": 0}, "train_batch_size must be at least 1 pair, got 0"),
        ({"adam_epsilon": 0.0}, "adam_epsilon must be at least 1e-15, got 0.0"),
        ({"adam_beta1": 1.0}, "adam_beta1 must be between 0 and 0.999999, got 1.0"),
        ({"adam_beta2": 1.0}, "adam_beta2 must be between 0 and 0.999999, got 1.0"),
        ({"num_train_epochs": 0.0}, "num_train_epochs must be between 0.001 and 10000.0 epochs"),
        ({"seed": 2**70}, "seed must be between 0 and"),
        ({"dtype": "fp32"}, "Did you mean 'float32'"),
        ({"tokens_per_device": 512}, "tokens_per_device must be at least max_length"),
        ({"torch_compile": True, "activation_checkpointing": "selective"}, "must be none or full, got selective"),
    ],
)
def test_a_wrong_value_is_refused_in_words(change, message):
    with pytest.raises(UserError, match=message):
        RunConfig().with_changes(**change)


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'starcoder'"):
        RunConfig.from_preset("starcodr")


def test_paths_are_resolved_where_they_are_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my" / "model").mkdir(parents=True)
    for name in ("a.jsonl", "b.jsonl.gz", "C.PARQUET", "sub/d.json"):
        assert RunConfig.from_preset("tiny", pairs=name).pairs == str(tmp_path / name)
    for model in ("my/model", "./my/model", str(tmp_path / "my/model")):
        config = RunConfig.chosen("tiny", "e.json", json.dumps({"model_name_or_path": model, "pairs": "other.json"}))
        assert (config.model_name_or_path, config.pairs) == (str(tmp_path / "my" / "model"), str(tmp_path / "e.json"))
    (tmp_path / "embedded").mkdir()
    for source in ("python-stdlib", f"owner/name@{'0' * 40}"):
        config = RunConfig.chosen("tiny", source)
        assert (config.pairs, config.model_name_or_path) == (source, "embedded")
    assert RunConfig.from_preset("starcoder").model_name_or_path == "bigcode/starcoder"


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"nonsense": 1}'])
def test_a_broken_file_is_refused(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError):
        RunConfig.load(tmp_path / "config.json")


@pytest.mark.parametrize("older, newer", [(False, "none"), (True, "full")])
def test_a_run_from_before_activations_could_be_kept_in_part_is_still_read(older, newer, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"seed": 7, "gradient_checkpointing": older}))
    assert RunConfig.load(tmp_path / "config.json") == RunConfig(seed=7, activation_checkpointing=newer)
