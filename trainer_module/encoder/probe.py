"""A small batch that shows whether two encoders are the same function."""

import numpy as np
import tensorflow as tf

from trainer_module.hub.layout import EncoderLayout

_LENGTHS = (1, 2, 7, 16, 16)


def probe_batch(layout: EncoderLayout, seed: int = 0) -> dict[str, tf.Tensor]:
    """Random tokens: several lengths, padding, and both segment ids; each tensor `[5, ≤16]` int32."""
    rng = np.random.default_rng(seed)
    width = min(max(_LENGTHS), layout.positions or max(_LENGTHS))
    mask = (np.arange(width)[None, :] < np.array(_LENGTHS)[:, None]).astype(np.int32)
    ids = rng.integers(1, max(layout.words, 2), mask.shape, dtype=np.int32) * mask
    types = (np.arange(width)[None, :] >= np.array(_LENGTHS)[:, None] // 2).astype(np.int32) * mask
    return {
        "input_word_ids": tf.constant(ids),
        "input_mask": tf.constant(mask),
        "input_type_ids": tf.constant(types),
    }
