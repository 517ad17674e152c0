"""Packing of token rows without padding, one update at a time.

An update is a number of *pairs*, drawn by seed and epoch. They are concatenated into blocks, positions restarting at 0
for each pair, so packed training computes the same updates as padded training.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heapreplace
from itertools import pairwise
from typing import Any

import numpy as np

from utils.errors import UserError
from utils.tokens.dataset import TokenRows
from utils.tokens.labels import IGNORE_INDEX, masked_labels


@dataclass(frozen=True)
class Block:
    """Concatenated pairs: `input_ids`, `position_ids` restarting at 0 for each pair, `labels` masked on the prompts."""

    input_ids: np.ndarray  # (T,)
    position_ids: np.ndarray  # (T,)
    labels: np.ndarray  # (T,)

    @property
    def document_starts(self) -> list[int]:
        """The start of each document, and the block's length."""
        return [*np.flatnonzero(self.position_ids == 0).tolist(), len(self.position_ids)]

    @cached_property
    def num_common(self) -> int:
        """The number of tokens with which all documents begin, fewer than the shortest has; 0 for one document."""
        starts = self.document_starts
        if len(starts) < 3:
            return 0
        length = min(end - start for start, end in pairwise(starts)) - 1
        beginnings = np.stack([self.input_ids[start : start + length] for start in starts[:-1]])  # (N, length)
        return int((beginnings == beginnings[0]).all(0).cumprod().sum())


def choose_rows(rows: TokenRows, max_length: int, max_samples: int, seed: int, is_needed: bool = True) -> np.ndarray:
    """The rows of a run: those of at most `max_length` tokens, of them `max_samples` chosen by seed (0: all).

    Raises `UserError` when there is none and one `is_needed`: a run needs no validation pairs.
    """
    fitting = np.flatnonzero(rows.lengths <= max_length)
    if max_samples and max_samples < len(fitting):
        fitting = np.sort(np.random.default_rng(seed).permutation(fitting)[:max_samples])
    if is_needed and not len(fitting):
        raise UserError(
            f"none of the {len(rows)} training pairs has at most {max_length} tokens: raise max_length, or add pairs.",
            field="max_length" if len(rows) else "pairs",
        )
    return fitting


def spread(items: Sequence, number: int) -> list:
    """At most `number` items, evenly spread."""
    step = max(len(items) / max(number, 1), 1)
    return [items[int(index * step)] for index in range(min(number, len(items)))]


def num_updates(num_rows: int, batch_size: int, num_epochs: float) -> int:
    """The number of updates of a run; the last update of an epoch takes the remaining pairs."""
    return max(1, math.ceil(-(-num_rows // batch_size) * num_epochs))


def update_rows(rows: np.ndarray, batch_size: int, seed: int, update: int) -> np.ndarray:
    """The rows of an update (from 0); each epoch is a permutation determined by seed and epoch."""
    updates_per_epoch = -(-len(rows) // batch_size)
    epoch, index = divmod(update, updates_per_epoch)
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    return order[index * batch_size : (index + 1) * batch_size]


def read_ahead(build: Callable[[int], Any], updates: range) -> Iterator[Any]:
    """`build(update)` of every update, computed in a thread while the previous one is used."""
    with ThreadPoolExecutor(1) as reader:
        upcoming = None
        for update in updates:
            ready = upcoming or reader.submit(build, update)
            upcoming = reader.submit(build, min(update + 1, updates[-1]))
            yield ready.result()


def pack(lengths: np.ndarray, capacity: int, num_ranks: int = 1) -> list[list[int]]:
    """Distribute documents over blocks of at most `capacity` tokens: few, balanced, as many for each of `num_ranks`.

    Longest first into the emptiest block, so that processes finish together. Returns the documents of each block, as
    indices into `lengths`; blocks are empty where there are fewer documents than processes.
    """
    if len(lengths) and max(lengths) > capacity:
        raise UserError(f"a pair has {max(lengths)} tokens, a block {capacity}: raise tokens_per_device.")
    order = sorted(range(len(lengths)), key=lambda document: (-lengths[document], document))
    num_blocks = max(1, -(-int(sum(lengths)) // (capacity * num_ranks))) * num_ranks
    while True:
        blocks: list[list[int]] = [[] for _ in range(num_blocks)]
        heap = [(0, block) for block in range(num_blocks)]
        heapify(heap)
        for document in order:
            used, block = heap[0]
            if used + lengths[document] > capacity:
                break
            blocks[block].append(document)
            heapreplace(heap, (used + int(lengths[document]), block))
        else:
            return blocks
        num_blocks += num_ranks


def build_block(rows: TokenRows, chosen: list[int]) -> Block:
    """Concatenate the chosen rows; without rows, one masked token, so that a rank without pairs takes part."""
    if not chosen:
        return Block(*(np.array([value], dtype=np.int64) for value in (0, 0, IGNORE_INDEX)))
    documents = [rows[row].astype(np.int64) for row in chosen]
    labels = [masked_labels(rows[row], rows.prompt_lengths[row]) for row in chosen]
    positions = [np.arange(len(document)) for document in documents]
    return Block(np.concatenate(documents), np.concatenate(positions), np.concatenate(labels))


def one_per_block(lengths: np.ndarray, num_ranks: int = 1) -> list[list[int]]:
    """As `pack`, for models that cannot keep documents apart: one per block, of similar length on all ranks."""
    blocks = [[int(document)] for document in np.argsort(-lengths, kind="stable")]
    return blocks + [[] for _ in range(-max(1, len(blocks)) % num_ranks + (not blocks))]


def blocks_of(
    rows: TokenRows, chosen: np.ndarray, capacity: int, num_ranks: int = 1, is_packed: bool = True
) -> list[Block]:
    """The chosen rows as blocks, a multiple of `num_ranks` of them; rank r takes every `num_ranks`-th from r."""
    lengths = rows.lengths[chosen]
    blocks = pack(lengths, capacity, num_ranks) if is_packed else one_per_block(lengths, num_ranks)
    return [build_block(rows, [int(chosen[index]) for index in block]) for block in blocks]
