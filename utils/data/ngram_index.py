"""Word sequences shared between texts, found by an index of hashed n-grams.

White space is ignored. Results are exact: hashes find candidates, which are then compared word by word.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

WORDS = re.compile(r"\w+")  # for prose: punctuation is ignored
TOKENS = re.compile(r"\w+|[^\w\s]")  # for code: punctuation counts
# Ids that are no word: the separator of two texts, and words that occur in none.
SEPARATOR, UNKNOWN = 0, 2**32 - 1


class Span(NamedTuple):
    """A stretch of a text, in characters, that also occurs in the indexed row `row`."""

    start: int
    end: int
    row: int


class NgramIndex:
    """All n-grams of some texts, to find the stretches that another text shares with them.

    Case is ignored. 12 bytes per word. Not covered: stretches of fewer than `n` words.
    """

    def __init__(self, texts: Iterable[str], n: int = 10, pattern: re.Pattern = TOKENS):
        self.pattern = pattern
        self.vocabulary, ids, self.starts = numbered(map(str.casefold, pattern.findall(text)) for text in texts)
        self.ngrams = Ngrams(ids, *grams_of(ids, n), n)

    def spans(self, text: str) -> list[Span]:
        """The longest stretches of `text` that occur in the rows, one span per row."""
        words = list(self.pattern.finditer(text))
        matches = self.ngrams.matches(self.vocabulary.get(word[0].casefold(), UNKNOWN) for word in words)
        rows = np.searchsorted(self.starts, [place for _, _, place in matches], side="right") - 1
        found = zip(matches, rows.tolist(), strict=True)
        return sorted(Span(words[start].start(), words[end - 1].end(), row) for (start, end, _), row in found)


class Ngrams:
    """Word ids as `numbered` returns them, and every `stride`-th n-gram as `grams_of` returns them.

    The arrays may be memory-mapped. Not covered: a `stride` above `n`.
    """

    def __init__(self, ids: np.ndarray, grams: np.ndarray, places: np.ndarray, n: int, stride: int = 1):
        self.ids, self.grams, self.places, self.n, self.stride = ids, grams, places, n, stride

    def matches(
        self, words: Iterable[int], max_places: int | None = None, min_different: int = 1
    ) -> list[tuple[int, int, int]]:
        """The longest sequences of these words that occur in the texts: start, end and place, longest first.

        Each has at least `n + stride - 1` words. At most `max_places` places of an n-gram are examined; n-grams with
        fewer than `min_different` distinct words are not looked up.
        """
        answer = np.array([UNKNOWN, *words, UNKNOWN], np.uint32)  # so that no match extends past an end
        grams = _hashes(answer, self.n, 1)
        first = np.searchsorted(self.grams, grams, side="left")
        counts = np.minimum(np.searchsorted(self.grams, grams, side="right") - first, max_places or len(self.grams))
        counts[_num_different(answer, self.n) < min_different] = 0
        # One candidate per place of each n-gram: its index in the answer and in the arrays.
        at = np.repeat(np.arange(len(grams)), counts)
        index = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
        shifts = self.places[index].astype(np.int64) - at
        for offset in range(self.n):
            is_same = answer[at + offset] == self.ids[at + shifts + offset]
            at, shifts = at[is_same], shifts[is_same]
        order = np.lexsort((at, shifts))
        at, shifts = at[order], shifts[order]
        # Consecutive candidates at one shift are one match; only its ends are extended.
        is_first = np.append(True, (np.diff(shifts) != 0) | (np.diff(at) != self.stride))[: len(at)]
        is_last = np.append(is_first[1:], True)[: len(at)]
        starts, ends, shifts = at[is_first], at[is_last], shifts[is_first]
        ends = ends + self._num_same(answer, ends, shifts, 1)
        starts = starts - self._num_same(answer, starts - 1, shifts, -1)
        is_long = ends - starts >= self.n + self.stride - 1
        found = set(zip(starts[is_long].tolist(), ends[is_long].tolist(), shifts[is_long].tolist(), strict=True))
        matches = [(start - 1, end - 1, start + shift) for start, end, shift in found]
        return sorted(matches, key=lambda match: (match[0] - match[1], match[0], match[2]))

    def _num_same(self, answer: np.ndarray, at: np.ndarray, shifts: np.ndarray, step: int) -> np.ndarray:
        """For each candidate, how many words from `at` on equal those `shifts` further in the texts."""
        lengths, going = np.zeros(len(at), np.int64), np.arange(len(at))
        while len(going):
            here = at[going] + step * lengths[going]
            there = np.take(self.ids, here + shifts[going], mode="clip")
            going = going[answer[here] == there]
            lengths[going] += 1
        return lengths


def numbered(texts: Iterable[Iterable[str]]) -> tuple[dict[str, int], np.ndarray, list[int]]:
    """The id of each word, the ids of all texts with separators around them, and the start of each text."""
    vocabulary: defaultdict[str, int] = defaultdict(lambda: len(vocabulary) + SEPARATOR + 1)
    ids, starts = array("I", [SEPARATOR]), []
    for words in texts:
        starts.append(len(ids))
        ids.extend(map(vocabulary.__getitem__, words))
        ids.append(SEPARATOR)
    return vocabulary, np.frombuffer(ids, np.uint32), starts


def grams_of(ids: np.ndarray, n: int, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The sorted hashes of every `stride`-th n-gram, and their places."""
    grams = _hashes(ids, n, stride)
    order = np.argsort(grams, kind="stable")
    return grams[order], (order * stride).astype(np.uint32)


def _hashes(words: np.ndarray, n: int, stride: int) -> np.ndarray:
    """32-bit hashes of every `stride`-th n-gram; they may collide."""
    last = max(len(words) - n + 1, 0)
    sums = np.zeros(len(range(0, last, stride)), np.uint64)
    for offset in range(n):
        sums = sums * np.uint64(0x9E3779B97F4A7C15) + words[offset : offset + last : stride]
    return (sums >> np.uint64(32)).astype(np.uint32)


def _num_different(words: np.ndarray, n: int) -> np.ndarray:
    """The number of distinct words in each n-gram: (T,) to (T - n + 1,)."""
    if len(words) < n:
        return np.zeros(0, np.int64)
    runs = np.sort(np.lib.stride_tricks.sliding_window_view(words, n), axis=1)  # [number of runs, n]
    return 1 + (np.diff(runs, axis=1) != 0).sum(axis=1)
