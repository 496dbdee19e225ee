"""A small batch that shows whether two encoders are the same function."""

from typing import Any

import numpy as np
import tensorflow as tf

from trainer_module.layout import EMBEDDINGS, EncoderLayout

_LENGTHS = (1, 2, 7, 16, 16)


def probe_batch(layout: EncoderLayout, seed: int = 0) -> dict[str, tf.Tensor]:
    """Random tokens: several lengths, padding, and both segment ids; each tensor `[5, ≤16]` int32."""
    rng = np.random.default_rng(seed)
    words = next(v.shape[0] for v in layout.in_block(EMBEDDINGS) if v.role == "word/embeddings")
    width = min(max(_LENGTHS), layout.positions or max(_LENGTHS))
    mask = (np.arange(width)[None, :] < np.array(_LENGTHS)[:, None]).astype(np.int32)
    ids = rng.integers(1, words, mask.shape, dtype=np.int32) * mask
    types = (np.arange(width)[None, :] >= np.array(_LENGTHS)[:, None] // 2).astype(np.int32) * mask
    return {
        "input_word_ids": tf.constant(ids),
        "input_mask": tf.constant(mask),
        "input_type_ids": tf.constant(types),
    }


def run_saved_model(model: Any, batch: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
    """What a loaded Hub encoder gives for `batch`, whether it takes a dict or (first TF2 generation) a list.

    Returns:
        `sequence_output` `[batch, seq, hidden]` and `pooled_output` `[batch, hidden]`, float32.
    """
    try:
        outputs = model(batch, training=False)
    except (ValueError, TypeError):
        outputs = model([batch[key] for key in ("input_word_ids", "input_mask", "input_type_ids")], training=False)
    if not isinstance(outputs, dict):
        pooled, sequence = outputs
        outputs = {"pooled_output": pooled, "sequence_output": sequence}
    return {key: outputs[key].numpy() for key in ("sequence_output", "pooled_output")}
