"""Texts made of nearly the same words: MinHash finds the candidates, and their words are then compared.

White space and upper or lower case make no difference here.
"""

import zlib
from collections.abc import Sequence
from typing import Any

from utils.data.ngram_index import WORDS

# 36 bands of 7: a pair at Jaccard 0.8 is missed once in 4,800 times, at 0.85 once in 370,000; one at 0.4, of which
# data made from a template is full, is looked at 6 times in a hundred.
NUM_BANDS, BAND_SIZE = 36, 7
# Of a family made from one template, this many stay to be compared with: else the work grows with its square.
MAX_CANDIDATES = 100


def similar(texts: Sequence[str], groups: Sequence[str] | None = None, threshold: float = 0.8) -> dict[int, tuple]:
    """The texts made of nearly the same words as an earlier one that stays: {its row: (the row that stays, Jaccard)}.

    Jaccard is the number of different words that both have over the number that either has, at least `threshold`.
    Rows of different `groups` are never taken together. A row is compared with rows that stay only, so that each
    one named is really like the one it is given to. MinHash finds the candidates, and their words are then compared:
    a similarity is exact, and a pair may be missed as often as `NUM_BANDS` says. Not covered: two rows that each look
    somewhat like `MAX_CANDIDATES` earlier ones, unless their words are the same.
    """
    # Only here: training imports this module by way of `pairs`, and needs neither datasketch nor SciPy.
    from datasketch import MinHash, MinHashLSH

    model = MinHash(num_perm=NUM_BANDS * BAND_SIZE, hashfunc=int)
    index: Any = MinHashLSH(num_perm=model.num_perm, params=(NUM_BANDS, BAND_SIZE))
    groups = groups if groups is not None else [""] * len(texts)
    words_of, first_with, found = {}, {}, {}
    for row, (text, group) in enumerate(zip(texts, groups, strict=True)):
        words = frozenset(WORDS.findall(text.casefold()))
        if not words:
            continue
        if (words, group) in first_with:  # the most frequent case by far where there are many
            found[row] = first_with[words, group], 1.0
            continue
        sketch = MinHash(hashfunc=int, permutations=model.permutations, scheme=model.scheme, num_perm=model.num_perm)
        sketch.update_batch([zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words])
        candidates = [one for one in index.query(sketch) if groups[one] == group]
        near = [(len(words & words_of[one]), one) for one in candidates]
        best = max(((same / (len(words) + len(words_of[one]) - same), -one) for same, one in near), default=(0.0, 0))
        if best[0] >= threshold:
            found[row] = -best[1], best[0]
            continue
        first_with[words, group] = row
        if len(candidates) < MAX_CANDIDATES:
            words_of[row] = words
            index.insert(row, sketch)
    return found
