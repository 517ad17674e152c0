"""The label mask: which tokens of a pair are trained on."""

import numpy as np

# Labels with this value are not trained on: the default `ignore_index` of torch's cross-entropy.
IGNORE_INDEX = -100


def masked_labels(ids: np.ndarray, prompt_length: int) -> np.ndarray:
    """The ids (T,) as labels, with `IGNORE_INDEX` on the prompt and in any case on the first token.

    The first token of a document has nothing before it that could predict it.
    """
    labels = ids.astype(np.int64)
    labels[: max(1, prompt_length)] = IGNORE_INDEX
    return labels
