"""Batches of rows of similar length: little padding, still shuffled, every row once an epoch."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from trainer_module.training.rows import Batch, Rows

_POOL = 32  # batches sorted by length together; larger pads less and shuffles less


def epoch_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Which rows form each batch of an epoch.

    The rows are shuffled, cut into pools, sorted by length inside each pool, cut into batches, and the batches
    shuffled. The same seed and epoch give the same batches.

    Args:
        lengths: Tokens of each row, `[rows]`.
        batch_size: Rows per batch; the epoch's last rows may form one smaller batch.
        seed: Of the run.
        epoch: Zero-based.

    Returns:
        Row indices, one array a batch; every row is in exactly one.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), batch_size * _POOL):
        pool = order[start : start + batch_size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches.extend(pool[first : first + batch_size] for first in range(0, len(pool), batch_size))
    return [batches[index] for index in rng.permutation(len(batches))]


def training_dataset(rows: Rows, batch_size: int, seed: int, epochs: int) -> tf.data.Dataset:
    """All epochs' batches, one epoch after the other: a Hub encoder's inputs and labels, padded per batch."""

    def batches() -> Iterator[Batch]:
        for epoch in range(epochs):
            for indices in epoch_batches(rows.lengths, batch_size, seed, epoch):
                yield rows.batch(indices)

    return _dataset(batches, rows)


def evaluation_dataset(rows: Rows, batch_size: int) -> tf.data.Dataset:
    """Every row once, shortest first."""

    def batches() -> Iterator[Batch]:
        order = np.argsort(rows.lengths, kind="stable")
        for first in range(0, len(order), batch_size):
            yield rows.batch(order[first : first + batch_size])

    return _dataset(batches, rows)


def _dataset(batches: object, rows: Rows) -> tf.data.Dataset:
    inputs, labels = rows.batch(np.array([0]))
    # Open dimensions: one trace of the training step serves all lengths.
    signature = (
        {name: tf.TensorSpec([None, None], tf.int32) for name in inputs},
        tf.TensorSpec([None], tf.as_dtype(labels.dtype)),
    )
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
