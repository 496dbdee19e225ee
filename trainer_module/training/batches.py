"""Batches of rows of similar length: little padding, still shuffled, every row once an epoch."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_module.training.distribution import NOT_DISTRIBUTED, Distribution
from trainer_module.training.row_source import RowSource
from trainer_module.training.rows import Batch

_POOL = 32  # batches sorted by length together; larger pads less and shuffles less
_NO_ROW = np.zeros(0, np.int64)  # any row may be one that training doesn't visit, and that isn't stored


def epoch_batches(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int, tokens_per_batch: int | None = None
) -> list[np.ndarray]:
    """Which rows form each batch of an epoch.

    The rows are shuffled, cut into pools, sorted by length inside each pool, cut into batches, and the batches
    shuffled. The same seed and epoch give the same batches.

    Args:
        lengths: Tokens of each row, `[rows]`.
        batch_size: Rows per batch; the epoch's last rows may form one smaller batch.
        seed: Of the run.
        epoch: Zero-based.
        tokens_per_batch: Instead of `batch_size`: as many rows as fit when all are padded to the longest; a row
            that is longer than that is alone.

    Returns:
        Row indices, one array a batch; every row is in exactly one.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    if tokens_per_batch is not None:
        batch_size = max(1, int(tokens_per_batch / max(1.0, float(np.mean(lengths)))))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), batch_size * _POOL):
        pool = order[start : start + batch_size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        if tokens_per_batch is not None:
            batches.extend(_within_budget(pool, lengths[pool], tokens_per_batch))
        else:
            batches.extend(pool[first : first + batch_size] for first in range(0, len(pool), batch_size))
    return [batches[index] for index in rng.permutation(len(batches))]


def _within_budget(rows: np.ndarray, lengths: np.ndarray, tokens: int) -> Iterator[np.ndarray]:
    """Cuts rows, sorted by length, longest first, so that the short ones fill what is left."""
    end = len(rows)
    while end:
        first = max(0, end - max(1, tokens // int(lengths[end - 1])))
        yield rows[first:end]
        end = first


def with_count(batches: list[np.ndarray], count: int) -> list[np.ndarray]:
    """As many batches as asked for, which are as many or more: the largest are cut in two."""
    batches = list(batches)
    while len(batches) < count:
        largest = max(range(len(batches)), key=lambda index: len(batches[index]))
        half = len(batches[largest]) // 2
        batches[largest : largest + 1] = [batches[largest][:half], batches[largest][half:]]
    return batches


def evaluation_batches(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Every row once, shortest first."""
    order = np.argsort(lengths, kind="stable")
    return [order[first : first + batch_size] for first in range(0, len(order), batch_size)]


def training_dataset(
    source: RowSource,
    epochs: Callable[[], Iterator[list[np.ndarray]]],
    distribution: Distribution = NOT_DISTRIBUTED,
) -> Any:
    """The batches of several epochs, one epoch after the other: the classifier's inputs and labels.

    Args:
        epochs: Gives each epoch's batches.
        distribution: Where there are several replicas, the data set is TensorFlow's `DistributedDataset`. It never
            ends; what comes after the last batch are batches without rows.
    """
    return _dataset(lambda: (batch for epoch in epochs() for batch in epoch), source, distribution)


def evaluation_dataset(source: RowSource, batch_size: int, distribution: Distribution = NOT_DISTRIBUTED) -> Any:
    """As `training_dataset`, of `evaluation_batches`."""
    return _dataset(lambda: iter(evaluation_batches(source.lengths, batch_size)), source, distribution)


def input_specs(source: RowSource) -> dict[str, tf.TensorSpec]:
    """The inputs of a batch of any size and length: one trace of a function serves them all."""
    inputs, _ = source.batch(_NO_ROW)
    # Rows and tokens vary in number; vectors have a fixed width.
    widths = {name: [] if each.dtype.kind == "i" else [each.shape[-1]] for name, each in inputs.items()}
    return {
        name: tf.TensorSpec([None] * (each.ndim - len(widths[name])) + widths[name], tf.as_dtype(each.dtype))
        for name, each in inputs.items()
    }


def _dataset(batches: Callable[[], Iterator[np.ndarray]], source: RowSource, distribution: Distribution) -> Any:
    if distribution.replicas == 1:
        return _generated(lambda: map(source.batch, batches()), source)

    def shards() -> Iterator[Batch]:
        for batch in batches():
            for rows in distribution.shards(batch):
                yield _shard(source, rows, batch)

    # Of a data set that may end, all replicas would tell each other before each step whether theirs has.
    endless = tf.data.Dataset.from_tensors(source.batch(_NO_ROW)).repeat()
    dataset = _generated(shards, source).concatenate(endless)
    return distribution.strategy.distribute_datasets_from_function(lambda context: dataset)


def _shard(source: RowSource, rows: np.ndarray, batch: np.ndarray) -> Batch:
    """A replica's part of a batch; where it has none, a row without a label, which doesn't count.

    Not every Hub model's program takes a batch of no rows.
    """
    if len(rows):
        return source.batch(rows)
    inputs, labels = source.batch(batch[:1])
    return inputs, labels[:0]


def _generated(batches: Callable[[], Iterator[Batch]], source: RowSource) -> tf.data.Dataset:
    _, labels = source.batch(_NO_ROW)
    signature = (input_specs(source), tf.TensorSpec([None], tf.as_dtype(labels.dtype)))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
    options = tf.data.Options()
    # There is nothing to tune, and its thread sleeps ever longer, up to a minute: training would end when it wakes.
    options.autotune.enabled = False
    return dataset.with_options(options)
