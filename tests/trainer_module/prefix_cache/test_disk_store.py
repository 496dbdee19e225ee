"""A split's rows on disk: found by what they are, whoever stored them."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.prefix_cache import segments
from trainer_module.prefix_cache.disk_store import DiskStore
from trainer_module.prefix_cache.segments import StoreFull

WIDTH = 5


def store(directory: Path, made: Any, stored: list[int] | None = None, dtype: Any = np.float32) -> DiskStore:
    positions = np.arange(len(made.keys)) if stored is None else np.array(stored, np.int64)
    return DiskStore(str(directory), made.keys, positions, WIDTH, np.dtype(dtype))


def put(into: DiskStore, made: Any, positions: list[int]) -> None:
    ends = np.cumsum(made.lengths)
    values = [made.values[ends[row] - made.lengths[row] : ends[row]] for row in positions]
    into.put(np.array(positions), made.lengths[positions], np.concatenate(values))


def check(of: DiskStore, made: Any, positions: list[int]) -> None:
    ends = np.cumsum(made.lengths)
    out = of.gather(np.array(positions), 9)
    assert out.shape == (len(positions), 9, WIDTH)
    for row, values in zip(positions, out, strict=True):
        expected = made.values[ends[row] - made.lengths[row] : ends[row]]
        assert values[: made.lengths[row]].tobytes() == expected.tobytes()
        assert not values[made.lengths[row] :].any()


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_rows_come_back_bit_by_bit(tmp_path: Path, rows: Any, dtype: Any) -> None:
    made = rows(range(20), dtype)
    ours = store(tmp_path, made, dtype=dtype)
    put(ours, made, list(range(19, 9, -1)))
    put(ours, made, list(range(10)))
    ours.finish()
    check(ours, made, [3, 19, 0, 3])
    ours.close()


def test_a_later_store_finds_what_is_there_and_stores_what_is_new(tmp_path: Path, rows: Any) -> None:
    """A window of rows that has moved on."""
    before, after = rows(range(20)), rows(range(5, 25))
    first = store(tmp_path, before)
    put(first, before, list(range(20)))
    first.finish()
    first.close()
    second = store(tmp_path, after)
    assert second.has(np.arange(20)).tolist() == [True] * 15 + [False] * 5
    put(second, after, list(range(15, 20)))
    second.finish()
    check(second, after, list(range(20)))
    second.close()


def test_only_the_rows_that_are_asked_for_must_be_there(tmp_path: Path, rows: Any) -> None:
    made = rows(range(9))
    ours = store(tmp_path, made, stored=[7, 2])
    put(ours, made, [2, 7])
    ours.finish()
    check(ours, made, [2, 7, 2])
    ours.close()
    missing = store(tmp_path, made, stored=[7, 2, 1])
    with pytest.raises(KeyError, match="1 of 3 keys"):
        missing.finish()


def test_equal_rows_are_stored_once_and_found_at_each_place(tmp_path: Path, rows: Any) -> None:
    made = rows([4, 6, 4, 4])
    ours = store(tmp_path, made)
    put(ours, made, [0, 1, 2, 3])
    ours.finish()
    check(ours, made, [3, 2, 1, 0])
    ours.close()
    again = store(tmp_path, rows([6, 4]))
    again.finish()
    check(again, rows([6, 4]), [0, 1])


def test_no_row_gives_an_empty_batch(tmp_path: Path, rows: Any) -> None:
    ours = store(tmp_path, rows([1]), stored=[])
    ours.finish()
    assert ours.gather(np.zeros(0, np.int64), 3).shape == (0, 3, WIDTH)


def test_a_full_disk_is_told(tmp_path: Path, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(segments, "write_segment", full)
    made = rows(range(4))
    ours = store(tmp_path, made)
    put(ours, made, [0, 1, 2, 3])
    with pytest.raises(StoreFull, match="No space left"):
        ours.finish()
    ours.close()
    assert list(tmp_path.iterdir()) == []
