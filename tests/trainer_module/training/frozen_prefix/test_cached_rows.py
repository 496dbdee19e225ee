"""Rows from behind the prefix: padded with zeros to the batch's longest, in the dtype that was computed."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.features import MASK, POOLED, STATES
from trainer_module.prefix_cache.memory_store import MemoryStore
from trainer_module.training.batches import evaluation_dataset, input_specs
from trainer_module.training.frozen_prefix.cached_rows import STORED_DTYPES, CachedRows
from trainer_module.training.frozen_prefix.prefix import Kept
from trainer_module.training.rows import Rows

WIDTH = 2


@pytest.fixture
def rows(make_rows: Callable[..., Rows]) -> Rows:
    return make_rows([2, 3], [2, 5, 5, 3], [2, 5, 3], labels=[7, 8, 9])


def cached(rows: Rows, kept: Kept, dtype: tf.DType = tf.float32, stored: tuple[int, ...] = (0, 1, 2)) -> CachedRows:
    """Row `i`'s vectors are `[i, token]`."""
    positions = np.array(stored)
    lengths = rows.lengths if kept is Kept.STATES else np.ones(3, np.int64)
    vectors = [[row, token] for row in stored for token in range(lengths[row])]
    values = np.array(vectors).astype(dtype.as_numpy_dtype).view(STORED_DTYPES[dtype])
    store = MemoryStore(lengths, positions, WIDTH, values.dtype)
    store.put(positions, lengths[positions], values)
    return CachedRows(rows, store, kept, dtype)


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_states_with_their_mask(rows: Rows, dtype: tf.DType) -> None:
    inputs, labels = cached(rows, Kept.STATES, dtype).batch(np.array([2, 0]))
    assert set(inputs) == {STATES, MASK}
    assert inputs[STATES].dtype == dtype.as_numpy_dtype
    assert inputs[STATES].astype(np.float32).tolist() == [[[2, 0], [2, 1], [2, 2]], [[0, 0], [0, 1], [0, 0]]]
    assert (inputs[MASK].tolist(), inputs[MASK].dtype) == ([[1, 1, 1], [1, 1, 0]], np.int32)
    assert labels.tolist() == [9, 7]


def test_the_first_state_is_a_text_of_one_token(rows: Rows) -> None:
    inputs, _ = cached(rows, Kept.FIRST_STATE).batch(np.array([1, 2]))
    assert inputs[STATES].tolist() == [[[1, 0]], [[2, 0]]]
    assert inputs[MASK].tolist() == [[1], [1]]


def test_pooled_vectors_need_no_mask(rows: Rows) -> None:
    inputs, labels = cached(rows, Kept.POOLED).batch(np.array([1, 0]))
    assert {name: each.tolist() for name, each in inputs.items()} == {POOLED: [[1, 0], [0, 0]]}
    assert labels.tolist() == [8, 7]


@pytest.mark.parametrize(
    ("kept", "specs"),
    [
        (Kept.STATES, {STATES: ([None, None, WIDTH], tf.bfloat16), MASK: ([None, None], tf.int32)}),
        (Kept.FIRST_STATE, {STATES: ([None, None, WIDTH], tf.bfloat16), MASK: ([None, None], tf.int32)}),
        (Kept.POOLED, {POOLED: ([None, WIDTH], tf.bfloat16)}),
    ],
)
def test_one_signature_serves_all_batches_though_the_first_row_is_not_stored(
    rows: Rows, kept: Kept, specs: dict[str, tuple[list[int | None], tf.DType]]
) -> None:
    source = cached(rows, kept, tf.bfloat16, stored=(2,))
    assert {name: (spec.shape.as_list(), spec.dtype) for name, spec in input_specs(source).items()} == specs


def test_they_pass_through_a_data_set_as_they_are(rows: Rows) -> None:
    (batch,) = evaluation_dataset(cached(rows, Kept.STATES, tf.bfloat16), 3)
    inputs, labels = batch
    assert labels.numpy().tolist() == [7, 9, 8]
    assert inputs[STATES].dtype == tf.bfloat16
    assert inputs[STATES][2].numpy().astype(np.float32).tolist() == [[1, 0], [1, 1], [1, 2], [1, 3]]
