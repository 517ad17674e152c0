"""The label mask: which tokens of a pair are target tokens."""

import numpy as np

# The default `ignore_index` of torch's cross-entropy.
IGNORE_INDEX = -100


def masked_labels(ids: np.ndarray, prompt_length: int) -> np.ndarray:
    """The ids (T,) as labels, with `IGNORE_INDEX` on the prompt and on the first token, which nothing predicts."""
    labels = ids.astype(np.int64)
    labels[: max(1, prompt_length)] = IGNORE_INDEX
    return labels
