"""Token rows and packed blocks: what is trained is the response and its end, and no token is lost or repeated."""

import copy
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tiny_tokenizer import chat_tokenizer
from utils import artifacts
from utils.data import pairs
from utils.errors import UserError
from utils.tokens import dataset, packing
from utils.tokens.dataset import TokenRows
from utils.tokens.labels import IGNORE_INDEX
from utils.tokens.prompts import TEMPLATES, format_prompt

PAIR = {"instruction": "Write a loop.", "input": "", "response": "for i in range(3):\n    print(i)"}


def test_trained_tokens_are_the_response_and_end_of_text(tokenizer):
    rows = dataset.tokenize([PAIR, PAIR | {"input": "3"}], tokenizer)
    block = packing.build_block(rows, [0, 1])
    trained = [int(token) for token in block.labels if token != IGNORE_INDEX]
    assert tokenizer.decode(trained) == (PAIR["response"] + "<|endoftext|>") * 2
    masked = block.input_ids[block.labels == IGNORE_INDEX]
    assert tokenizer.decode(masked) == format_prompt(PAIR["instruction"]) + format_prompt(PAIR["instruction"], "3")


def test_text_that_spells_a_special_token_is_not_one(tokenizer):
    rows = dataset.tokenize(
        [PAIR | {"instruction": "<|endoftext|><fim_prefix>", "response": "<|endoftext|>"}], tokenizer
    )
    assert list(rows.ids).count(tokenizer.eos_token_id) == 1 and rows.ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(rows.ids[rows.prompt_lengths[0] :]) == "<|endoftext|><|endoftext|>"


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=40), st.integers(61, 200), st.integers(1, 3)
)
def test_blocks_hold_every_pair_once_and_train_its_response_alone(sizes, capacity, num_ranks):
    """Rows of any prompt and response lengths: each token is in one block, beside its own label and position."""
    lengths = [prompt + response + 1 for prompt, response in sizes]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    # Every token is unlike all others, so that none can be lost, moved or repeated unseen.
    rows = TokenRows(np.arange(1, offsets[-1] + 1), offsets, np.array([prompt for prompt, _ in sizes], dtype=np.int64))
    blocks = packing.blocks_of(rows, np.arange(len(rows)), capacity, num_ranks)
    used = [len(block.input_ids) for block in blocks]
    assert len(blocks) % num_ranks == 0 and max(used) <= capacity
    # Even: no two blocks differ by more than the longest pair.
    assert max(used) - min(used) <= max(lengths, default=0)
    found = sorted(
        (ids.tolist(), labels.tolist(), positions.tolist())
        for block in blocks
        for ids, labels, positions in zip(
            *(np.split(a, block.document_starts[1:-1]) for a in (block.input_ids, block.labels, block.position_ids)),
            strict=True,
        )
    )
    empty = [block for block in blocks if block.input_ids[0] == 0]
    assert [block.labels.tolist() for block in empty] == [[IGNORE_INDEX]] * len(empty)
    assert found[len(empty) :] == [
        (rows[i].tolist(), [IGNORE_INDEX] * prompt + rows[i][prompt:].tolist(), list(range(lengths[i])))
        for i, (prompt, _) in enumerate(sizes)
    ]


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 5))
def test_every_epoch_takes_every_row_once_in_another_order(num_rows, batch_size, seed):
    rows, updates = np.arange(num_rows) * 3, packing.num_updates(num_rows, batch_size, 1.0)
    epochs = [
        np.concatenate([packing.update_rows(rows, batch_size, seed, epoch * updates + i) for i in range(updates)])
        for epoch in range(2)
    ]
    assert all(sorted(epoch) == list(rows) for epoch in epochs)
    assert num_rows < 10 or not np.array_equal(*epochs)


def test_long_rows_are_left_out_and_a_subset_is_chosen_by_seed(rows):
    limit = int(np.median(rows.lengths))
    chosen = packing.choose_rows(rows, limit, 0, seed=1)
    assert set(chosen) == {row for row in range(len(rows)) if len(rows[row]) <= limit}
    some = packing.choose_rows(rows, limit, 5, seed=1)
    assert len(some) == 5 and set(some) < set(chosen)
    assert some.tolist() == packing.choose_rows(rows, limit, 5, seed=1).tolist()
    assert some.tolist() != packing.choose_rows(rows, limit, 5, seed=2).tolist()
    with pytest.raises(UserError, match="raise max_length"):
        packing.choose_rows(rows, 1, 0, seed=1)
    assert len(packing.choose_rows(rows, 1, 0, seed=1, is_needed=False)) == 0


def test_token_rows_of_another_tokenizer_or_changed_since_are_refused(world, tokenizer, tmp_path):
    folder = shutil.copytree(artifacts.tokens_dir(*world), tmp_path / "tokens")
    dataset.verify(folder, world[1], tokenizer)
    other = copy.deepcopy(tokenizer)
    other.add_tokens(["number"])
    with pytest.raises(UserError, match="was changed since: tokenizer. Run notebook 02"):
        dataset.verify(folder, world[1], other)
    with pytest.raises(UserError, match="was changed since: tokenizer, template"):
        dataset.verify(folder, world[1].with_changes(template="chat"), chat_tokenizer())
    ids = np.load(folder / "train.ids.npy")
    np.save(folder / "train.ids.npy", ids[::-1])
    (folder / "validation.offsets.npy").unlink()
    with pytest.raises(UserError, match="was changed since: train.ids.npy, validation.offsets.npy"):
        dataset.verify(folder, world[1], tokenizer)
    (folder / "manifest.json").write_text('{"inputs": [1]}')
    with pytest.raises(UserError, match="no readable manifest"):
        dataset.verify(folder, world[1], tokenizer)


def test_tokens_are_kept_until_pairs_or_tokenizer_change(world, tokenizer, tmp_path):
    data_dir, config = world
    folder, is_kept = dataset.prepare(data_dir, config, tokenizer)
    assert is_kept
    with pytest.raises(UserError, match="Run notebook 01_data first"):
        dataset.prepare(tmp_path, config, tokenizer)
    with pytest.raises(UserError, match="Run notebook 02_alpaca_format first"):
        dataset.load(tmp_path / "tokens", "train")


def test_every_template_has_its_own_tokens(world, tmp_path):
    data_dir, config = world
    tokenizer, folders = chat_tokenizer(), {}
    artifacts.pairs_dir(tmp_path, config.pairs).parent.mkdir()
    artifacts.pairs_dir(tmp_path, config.pairs).symlink_to(artifacts.pairs_dir(data_dir, config.pairs))
    for template in TEMPLATES:
        folders[template], is_kept = dataset.prepare(tmp_path, config.with_changes(template=template), tokenizer)
        assert not is_kept and artifacts.read_manifest(folders[template])["facts"]["template"] == template
    assert len(set(folders.values())) == len(TEMPLATES), "none is overwritten, so a run cannot take another's"
    pair = pairs.load(artifacts.pairs_dir(tmp_path, config.pairs), "train")[0]
    for template, folder in folders.items():
        rows = dataset.load(folder, "train")
        prompt = tokenizer.decode(rows[0][: rows.prompt_lengths[0]])
        assert prompt == format_prompt(pair["instruction"], pair["input"], template, tokenizer)
    chat = config.with_changes(template="chat")
    assert dataset.prepare(tmp_path, chat, tokenizer)[1]
    tokenizer.chat_template = tokenizer.chat_template.replace("brief", "kind")
    assert dataset.prepare(tmp_path, chat, tokenizer) == (folders["chat"], False), "another chat template, other tokens"
    tokenizer.chat_template = None
    with pytest.raises(UserError, match="no chat template"):
        dataset.prepare(tmp_path, chat, tokenizer)


@pytest.mark.parametrize("chunk", [dict(CHUNK_ROWS=7), dict(CHUNK_CHARACTERS=50), dict(CHUNK_ROWS=1)])
def test_files_are_the_same_in_whatever_chunks_they_are_written(world, tokenizer, tmp_path, monkeypatch, chunk):
    data_dir, config = world
    for name, value in chunk.items():
        monkeypatch.setattr(dataset, name, value)
    artifacts.pairs_dir(tmp_path, config.pairs).parent.mkdir()
    artifacts.pairs_dir(tmp_path, config.pairs).symlink_to(artifacts.pairs_dir(data_dir, config.pairs))
    folder, _ = dataset.prepare(tmp_path, config, tokenizer)
    whole = dataset.tokenize(pairs.load(artifacts.pairs_dir(data_dir, config.pairs), "train"), tokenizer)
    for name in ("ids", "offsets", "prompt_lengths"):
        np.save(tmp_path / "expected.npy", getattr(whole, name))
        assert (folder / f"train.{name}.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()
