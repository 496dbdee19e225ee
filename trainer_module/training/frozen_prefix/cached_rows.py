"""Rows whose prefix has been computed."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from trainer_module.features import MASK, POOLED, STATES
from trainer_module.prefix_cache.activation_store import ActivationStore
from trainer_module.training.frozen_prefix.prefix import Kept
from trainer_module.training.row_source import RowSource
from trainer_module.training.rows import Batch

STORED_DTYPES: Mapping[tf.DType, np.dtype] = {
    tf.float32: np.dtype(np.float32),
    tf.bfloat16: np.dtype(np.uint16),
    tf.float16: np.dtype(np.uint16),
}
"""As what each dtype is stored. NumPy itself has no bfloat16: both dtypes of 16 bits are stored as bit patterns."""


class CachedRows:
    """Gives a classifier's inputs from behind the prefix; see `RowSource`.

    Args:
        rows: Where the labels come from, and the lengths, by which batches are formed.
        store: Holds the rows that will be asked for.
        kept: What it holds of each.
        dtype: Of the stored numbers.
    """

    def __init__(self, rows: RowSource, store: ActivationStore, kept: Kept, dtype: tf.DType) -> None:
        self.lengths = rows.lengths
        self.labels = rows.labels
        self._store = store
        self._kept = kept
        self._dtype = dtype.as_numpy_dtype

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: np.ndarray) -> Batch:
        """The rows at `indices`: `pooled`, or `states` and `input_mask`; and the labels."""
        lengths = self.lengths[indices] if self._kept is Kept.STATES else np.ones(len(indices), np.int64)
        values = self._store.gather(indices, int(lengths.max(initial=1))).view(self._dtype)
        if self._kept is Kept.POOLED:
            return {POOLED: values[:, 0]}, self.labels[indices]
        mask = (np.arange(values.shape[1]) < lengths[:, None]).astype(np.int32)
        return {STATES: values, MASK: mask}, self.labels[indices]
