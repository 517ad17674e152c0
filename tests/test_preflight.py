"""The checks before training: green on what the workbook makes, and red, each for its own reason, on what is spoilt."""

import json
import shutil

import numpy as np
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from support.tiny_tokenizer import chat_tokenizer
from utils import artifacts
from utils.config import RunConfig
from utils.data import pairs
from utils.errors import UserError
from utils.tokens import dataset, packing
from utils.training import preflight
from utils.widgets import plan_view

NAMES = {
    "other_prompts": "The prompt in training",
    "ends_untrained": "End-of-text",
    "rows_untrained": "Every row",
    "prompt_tokens_trained": "No token of a prompt",
    "texts_changed": "Text gives",
    "rows_with_specials": "Text never",
}


@pytest.fixture
def own(world, tmp_path):
    data_dir, config = world
    for part in ("pairs", "tokens"):
        shutil.copytree(data_dir / part, tmp_path / part)
    return tmp_path, config, AutoTokenizer.from_pretrained(config.model_name_or_path)


def bad(checks) -> list[str]:
    return [check.name for check in checks if check.is_good is False]


def rewrite(data_dir, config, name: str, change) -> None:
    path = artifacts.tokens_dir(data_dir, config) / f"train.{name}.npy"
    values = np.load(path)
    change(values)
    np.save(path, values)


def test_all_is_green_on_what_the_workbook_makes(own):
    data_dir, config, tokenizer = own
    checks = preflight.check(data_dir, config, tokenizer)
    assert bad(checks) == [] and [check.name for check in checks if not check.is_good] == ["Pairs for validation"]
    preflight.require(artifacts.tokens_dir(data_dir, config))
    html = plan_view.checks_table(checks)
    assert html.count("✓ passed") == len(checks) - 1 and "! note" in html and "FAILED" not in html


@pytest.mark.parametrize("template", ["alpaca-newline", "chat"])
def test_all_is_green_with_other_templates_and_hostile_pairs(tmp_path, template):
    texts = ["<|im_end|>", "<|endoftext|>x", "<|im_start|>assistant\n", "é🙂\u202e", " {x} \\n"]
    rows = [{"instruction": f"Say {a} {i}", "input": b, "response": a + b} for i, a in enumerate(texts) for b in texts]
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = RunConfig(model_name_or_path="x", pairs=str(tmp_path / "some.jsonl"), template=template)
    pairs.prepare(config.pairs, tmp_path)
    tokenizer = chat_tokenizer()
    dataset.prepare(tmp_path, config, tokenizer)
    counts = preflight.count(tmp_path, config, tokenizer)
    assert {name: counts[name] for name in NAMES} == dict.fromkeys(NAMES, 0)
    assert counts["rows"] == counts["sampled_rows"] == 25


def test_each_fault_turns_its_own_check_red(own, monkeypatch):
    data_dir, config, tokenizer = own

    def spoilt(name, index, value):
        rewrite(data_dir, config, name, lambda values: values.__setitem__(index, value))
        counts = preflight.count(data_dir, config, tokenizer)
        packing_dir = artifacts.tokens_dir(data_dir, config)
        shutil.rmtree(packing_dir)
        dataset.prepare(data_dir, config, tokenizer)
        return {name for name in NAMES if counts[name]}

    rows = dataset.load(artifacts.tokens_dir(data_dir, config), "train")
    start, end = int(rows.prompt_lengths[0]), int(rows.offsets[1])
    assert spoilt("ids", 2, 200) == {"other_prompts", "texts_changed"}
    assert spoilt("ids", start, 7) == {"texts_changed"}
    assert spoilt("ids", end - 1, 9) == {"ends_untrained", "rows_with_specials"}
    assert spoilt("ids", start, 3) == {"texts_changed", "rows_with_specials"}
    # A prompt as long as its row leaves nothing to train on.
    found = spoilt("prompt_lengths", 0, end)
    assert {"rows_untrained", "ends_untrained", "other_prompts"} <= found

    def leaky(rows, chosen):
        block = packing_build(rows, chosen)
        block.labels[:5] = block.input_ids[:5]
        return block

    packing_build = packing.build_block
    monkeypatch.setattr(packing, "build_block", leaky)
    counts = preflight.count(data_dir, config, tokenizer)
    assert {name for name in NAMES if counts[name]} == {"prompt_tokens_trained"}


def test_a_red_check_stops_the_way_to_training(own):
    data_dir, config, tokenizer = own
    folder = artifacts.tokens_dir(data_dir, config)
    preflight.require(folder)  # unchecked
    rewrite(data_dir, config, "ids", lambda ids: ids.__setitem__(2, 200))
    checks = preflight.check(data_dir, config, tokenizer)
    assert [name for name in bad(checks) if name.startswith("The prompt in training")]
    with pytest.raises(UserError, match="cannot be trained on: 'The prompt in training .* run notebooks 01 and 02"):
        preflight.require(folder)
    html = plan_view.checks_table(checks)
    assert "✗ FAILED" in html and "What to do: run notebooks" in html
    dataset.prepare(data_dir, config, tokenizer)
    preflight.require(folder)  # the damage was seen, and they were made anew


def test_the_books_balance_to_the_last_row(tmp_path):
    rows = [{"instruction": f"Say {i}.", "input": "", "response": "x" * i} for i in range(1, 40)]
    lines = [json.dumps(row) for row in rows] + [json.dumps(rows[3])] * 2 + ['{"instruction": "no response"}', "[]"]
    (tmp_path / "some.jsonl").write_text("\n".join(lines) + "\n")
    config = RunConfig(model_name_or_path="x", pairs=str(tmp_path / "some.jsonl"), max_length=160)
    pairs.prepare(config.pairs, tmp_path, skip_bad=True)
    dataset.prepare(tmp_path, config, chat_tokenizer())
    row_counts = preflight.balance(tmp_path, config)
    assert row_counts["num_read"] == sum(row_counts.values()) - row_counts["num_read"] == len(lines)
    assert (row_counts["num_duplicates"], row_counts["num_rejected"], row_counts["num_without_target_token"]) == (
        2,
        2,
        0,
    )
    rows = [dataset.load(artifacts.tokens_dir(tmp_path, config), split) for split in dataset.SPLITS]
    assert row_counts["num_too_long"] == sum(int((part.lengths > 160).sum()) for part in rows) > 0
    assert row_counts["num_kept"] == sum(len(packing.choose_rows(part, 160, 0, 0)) for part in rows)


def test_a_sample_is_taken_of_many_rows(own, monkeypatch):
    data_dir, config, tokenizer = own
    monkeypatch.setattr(preflight, "SAMPLE_ROWS", 5)
    counts = preflight.count(data_dir, config, tokenizer)
    num_validation = len(dataset.load(artifacts.tokens_dir(data_dir, config), "validation"))
    assert counts["rows"] == 40 and counts["sampled_rows"] == 5 + min(5, num_validation)
    assert {name: counts[name] for name in NAMES} == dict.fromkeys(NAMES, 0)


@pytest.mark.slow
def test_the_rows_whose_seam_would_merge(shared_data, tmp_path, monkeypatch):
    """With the BigCode tokenizer 798 of GPTeacher's 4,535 rows, the reason why prompt and response are apart."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(shared_data / "starcoder2-tokenizer/tokenizer.json"), eos_token="<|endoftext|>"
    )
    texts = json.loads((shared_data / "gpteacher/codegen-instruct.json").read_text())
    rows = dataset.tokenize(texts, tokenizer)
    monkeypatch.setattr(preflight, "_samples", lambda *_: iter([(rows, np.arange(len(rows)), texts)]))
    found = preflight.merges(tmp_path, RunConfig(), tokenizer)
    assert (found["num_rows"], found["num_merged"]) == (4535, 798)
    assert (int(rows.prompt_lengths.sum()), int((rows.lengths - rows.prompt_lengths).sum())) == (349_560, 364_920)
    assert found["apart"][0] == ":" and found["together"][0].startswith(":") and len(found["together"][0]) > 1
    # With the newline of the variant nothing merges but newlines.
    found = preflight.merges(tmp_path, RunConfig(template="alpaca-newline"), tokenizer)
    assert found["num_merged"] < 798
