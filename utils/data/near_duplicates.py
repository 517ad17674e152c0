"""Near-duplicate texts: MinHash finds candidates, whose words are then compared exactly.

Case, white space and punctuation are ignored.
"""

import zlib
from collections.abc import Sequence
from typing import Any

from utils.data.ngram_index import WORDS

# 36 bands of 7: a pair with Jaccard index 0.8 is missed once in 4,800 times, with 0.85 once in 370,000; of pairs with
# 0.4, frequent in data made from a template, 6 % become candidates.
NUM_BANDS, BAND_SIZE = 36, 7
# Of texts made from one template only so many are indexed: otherwise the work grows with their square.
MAX_CANDIDATES = 100


def similar(texts: Sequence[str], groups: Sequence[str] | None = None, threshold: float = 0.8) -> dict[int, tuple]:
    """The texts with nearly the same words as an earlier text that is kept: {row: (the row kept, Jaccard index)}.

    The Jaccard index is the number of distinct words in both over the number in either; at least `threshold`. Only
    rows of the same group are compared. Similarities are exact; a pair may be missed as rarely as `NUM_BANDS` says.
    Not covered: rows somewhat similar to `MAX_CANDIDATES` earlier ones, unless their words are the same.
    """
    # Imported here: training imports this module through `pairs` and needs neither datasketch nor SciPy.
    from datasketch import MinHash, MinHashLSH

    model = MinHash(num_perm=NUM_BANDS * BAND_SIZE, hashfunc=int)
    index: Any = MinHashLSH(num_perm=model.num_perm, params=(NUM_BANDS, BAND_SIZE))
    groups = groups if groups is not None else [""] * len(texts)
    words_of, first_with, found = {}, {}, {}
    for row, (text, group) in enumerate(zip(texts, groups, strict=True)):
        words = frozenset(WORDS.findall(text.casefold()))
        if not words:
            continue
        if (words, group) in first_with:  # by far the most frequent case
            found[row] = first_with[words, group], 1.0
            continue
        sketch = MinHash(hashfunc=int, permutations=model.permutations, scheme=model.scheme, num_perm=model.num_perm)
        sketch.update_batch([zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words])
        candidates = [other for other in index.query(sketch) if groups[other] == group]
        common = [(len(words & words_of[other]), other) for other in candidates]
        jaccard = ((same / (len(words) + len(words_of[other]) - same), -other) for same, other in common)
        best = max(jaccard, default=(0.0, 0))
        if best[0] >= threshold:
            found[row] = -best[1], best[0]
            continue
        first_with[words, group] = row
        if len(candidates) < MAX_CANDIDATES:
            words_of[row] = words
            index.insert(row, sketch)
    return found
