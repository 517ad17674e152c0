"""The workload of a run: its updates and their tokens, counted from the token rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils import artifacts
from utils.config import RunConfig
from utils.tokens import dataset, packing


@dataclass(frozen=True)
class Workload:
    """The workload of a run; `num_updates` is None where there are no token rows yet."""

    num_updates: int | None
    num_tokens: float  # of an update
    num_target_tokens: float  # of an update
    num_eval_tokens: int
    num_block_tokens: int  # of the largest block
    num_block_targets: int
    num_blocks: int  # of one process in one update, at most
    document_length: int
    basis: str
    is_packed: bool = True


def check_rows(config: RunConfig, data_dir: Path, vocab_size: int) -> None:
    """Raise `UserError` when the token rows, if there are any, have ids that the model does not have."""
    folder = artifacts.tokens_dir(data_dir, config)
    for split in dataset.SPLITS if artifacts.read_manifest(folder) is not None else ():
        dataset.check_ids(dataset.load(folder, split), vocab_size)


def count(config: RunConfig, data_dir: Path, num_processes: int, is_packed: bool = True) -> Workload:
    """Count updates and tokens from the token rows of the first epoch; without rows, upper bounds."""
    folder = artifacts.tokens_dir(data_dir, config)
    capacity = config.tokens_per_device if is_packed else config.max_length
    if artifacts.read_manifest(folder) is None:
        tokens = config.train_batch_size * config.max_length
        blocks = -(-tokens // (capacity * num_processes))
        document = min(256, config.max_length)
        basis = "upper bound: the pairs are not tokenized yet, so each counts as max_length target tokens"
        size = min(capacity, tokens)
        return Workload(None, tokens, tokens, 0, size, size, blocks, document if is_packed else size, basis, is_packed)
    rows, eval_rows = (dataset.load(folder, split) for split in dataset.SPLITS)
    chosen = packing.choose_rows(rows, config.max_length, config.max_train_samples, config.seed)
    eval_chosen = packing.choose_rows(
        eval_rows, config.max_length, config.max_eval_samples, config.seed, is_needed=False
    )
    order = packing.update_rows(chosen, max(1, len(chosen)), config.seed, 0)  # the first epoch as one update
    lengths, starts = rows.lengths[order], np.arange(0, len(order), config.train_batch_size)
    targets = lengths - np.maximum(1, rows.prompt_lengths[order])
    tokens, trained = np.add.reduceat(lengths, starts), np.add.reduceat(targets, starts)  # of each update
    if is_packed:
        num_blocks = -(-tokens // (capacity * num_processes))
        largest = max((tokens / (num_blocks * num_processes)).max(), lengths.max())
        most_targets = (trained / (num_blocks * num_processes)).max()
        # Rounded to a power of two, which is enough for the memory of attention.
        document = 2 ** round(np.log2(max(8, lengths.mean())))
    else:  # one pair per block
        num_blocks = -(-np.diff([*starts, len(order)]) // num_processes)
        largest = document = int(lengths.max())
        most_targets = targets.max()
    return Workload(
        num_updates=packing.num_updates(len(chosen), config.train_batch_size, config.num_train_epochs),
        num_tokens=tokens.mean(),
        num_target_tokens=trained.mean(),
        num_eval_tokens=int(eval_rows.lengths[eval_chosen].sum()),
        num_block_tokens=min(capacity, round(largest)),
        num_block_targets=round(most_targets),
        num_blocks=int(num_blocks.max()),
        document_length=document,
        basis="counted from the token rows" + ("" if is_packed else "; one pair per forward pass"),
        is_packed=is_packed,
    )
