"""Runs of words shared between texts, word for word, by an index of hashed n-grams.

White space and upper or lower case make no difference here. Everything that is reported is exact: hashes only find
the candidates.
"""

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

WORDS = re.compile(r"\w+")  # what prose is compared by: punctuation makes no difference
TOKENS = re.compile(r"\w+|[^\w\s]")  # what code is compared by: it does


class Span(NamedTuple):
    """A stretch of a text, in characters, that stands in row `row` of what was indexed."""

    start: int
    end: int
    row: int


class NgramIndex:
    """All runs of `n` words of some texts, to look up which stretches of another text stand among them.

    16 bytes a word: hashes in order, each with its row and its place there. Not covered: stretches shorter than `n`.
    """

    def __init__(self, texts: Iterable[str], n: int = 10, pattern: re.Pattern = TOKENS):
        self.n, self.pattern = n, pattern
        words = [_hashes(pattern.findall(text)) for text in texts]
        lengths = np.array([len(row) for row in words], dtype=np.int64)
        rows = np.repeat(np.arange(len(words), dtype=np.int32), lengths)
        places = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        runs = self._runs(np.concatenate(words) if words else np.empty(0, np.uint64))
        # A run that begins in one text and ends in the next is none.
        is_within = rows[: len(runs)] == rows[len(rows) - len(runs) :]
        order = np.flatnonzero(is_within)
        order = order[np.argsort(runs[order], kind="stable")]
        self.hashes, self.rows, self.places = runs[order], rows[order], places[order].astype(np.int32)

    def _runs(self, words: np.ndarray) -> np.ndarray:
        """The hash of each run of n words, [number of words] -> [number of words - n + 1]; 64 bits, wrapping round."""
        num_runs = max(len(words) - self.n + 1, 0)
        runs = np.zeros(num_runs, np.uint64)
        for offset in range(self.n):
            runs = runs * np.uint64(0x9E3779B97F4A7C15) + words[offset : offset + num_runs]
        return runs

    def spans(self, text: str) -> list[Span]:
        """The stretches of `text` that stand in the rows, each as long as it can be, for every row it stands in."""
        matches = list(self.pattern.finditer(text))
        runs = self._runs(_hashes([match[0] for match in matches]))
        first = np.searchsorted(self.hashes, runs, side="left")
        counts = np.searchsorted(self.hashes, runs, side="right") - first
        # One hit for each place where a run of `text` stands: its number in `text`, and its index in the arrays.
        at = np.repeat(np.arange(len(runs)), counts)
        index = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
        rows, shifts = self.rows[index], self.places[index] - at
        order = np.lexsort((at, shifts, rows))
        at, rows, shifts = at[order], rows[order], shifts[order]
        # Hits of one row at one shift that follow each other are one longer stretch.
        goes_on = (np.diff(rows) == 0) & (np.diff(shifts) == 0) & (np.diff(at) == 1)
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(at), 1), bool), ~goes_on]))
        ends = np.append(starts[1:], len(at)) - 1
        found = zip(at[starts].tolist(), at[ends[: len(starts)]].tolist(), rows[starts].tolist(), strict=True)
        return sorted(Span(matches[a].start(), matches[b + self.n - 1].end(), row) for a, b, row in found)


@lru_cache(maxsize=1 << 18)
def _hash(word: str) -> int:
    digest = hashlib.blake2b(word.casefold().encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _hashes(words: list[str]) -> np.ndarray:
    return np.fromiter(map(_hash, words), np.uint64, len(words))
