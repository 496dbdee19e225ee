"""Rows come out of memory as they went in, in any order and any company."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_module.prefix_cache.memory_store import MemoryStore

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=30).map(lambda each: np.array(each, np.int64))


def vectors(row: int, length: int, dtype: type = np.float32) -> np.ndarray:
    return (np.arange(length * 3).reshape(length, 3) + 100 * row).astype(dtype)


def put(store: MemoryStore, lengths: np.ndarray, rows: np.ndarray, dtype: type = np.float32) -> None:
    store.put(rows, lengths[rows], np.concatenate([vectors(row, lengths[row], dtype) for row in rows]))


@given(lengths=LENGTHS, data=st.data())
def test_what_was_put_in_parts_is_gathered_in_others(lengths: np.ndarray, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(lengths)))))
    stored = order[: data.draw(st.integers(1, len(order)))]
    store = MemoryStore(lengths, stored, 3, np.dtype(np.float32))
    for part in np.array_split(np.array(data.draw(st.permutations(stored.tolist()))), 3):
        if len(part):
            put(store, lengths, part)
    store.finish()
    asked = np.array(data.draw(st.lists(st.sampled_from(stored.tolist()), min_size=1, max_size=8)))
    longest = int(lengths[asked].max()) + data.draw(st.integers(0, 2))
    out = store.gather(asked, longest)
    assert out.shape == (len(asked), longest, 3)
    for row, values in zip(asked, out, strict=True):
        np.testing.assert_array_equal(values[: lengths[row]], vectors(row, lengths[row]))
        assert not values[lengths[row] :].any()


def test_a_row_is_there_once_it_was_put() -> None:
    lengths = np.array([2, 3, 1])
    store = MemoryStore(lengths, np.array([2, 0]), 3, np.dtype(np.float32))
    assert store.has(np.arange(3)).tolist() == [False, False, False]
    put(store, lengths, np.array([0]))
    assert store.has(np.array([2, 0, 1])).tolist() == [False, True, False]


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 4), (np.uint16, 2)])
def test_it_takes_the_room_of_the_stored_rows_only(dtype: type, size: int) -> None:
    store = MemoryStore(np.array([2, 1000, 1]), np.array([0, 2]), 3, np.dtype(dtype))
    put(store, np.array([2, 1000, 1]), np.array([0, 2]), dtype)
    assert store._values.nbytes == 3 * 3 * size
    assert store.gather(np.array([2]), 1).dtype == dtype
    store.close()
    assert store._values.nbytes == 0


def test_no_row_is_fine() -> None:
    store = MemoryStore(np.array([2, 1]), np.zeros(0, np.int64), 3, np.dtype(np.float32))
    store.finish()
    assert store.gather(np.zeros(0, np.int64), 4).shape == (0, 4, 3)
