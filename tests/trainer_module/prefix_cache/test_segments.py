"""A store gives back what was added, and nothing else."""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_module.errors import UserError
from trainer_module.prefix_cache.segments import SegmentStore, StoreFull

WIDTH = 5
MakeRows = Callable[..., Any]
Check = Callable[..., None]


def open_store(directory: Path, dtype: Any = np.float32, segment_bytes: int = 2**20) -> SegmentStore:
    return SegmentStore(str(directory), WIDTH, np.dtype(dtype), segment_bytes)


def add(store: SegmentStore, rows: Any) -> None:
    store.add(rows.keys, rows.lengths, rows.values)


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_every_bit_comes_back_in_this_run_and_in_the_next(
    tmp_path: Path, rows: MakeRows, check: Check, dtype: Any
) -> None:
    with open_store(tmp_path / "new" / "prefix", dtype) as store:
        add(store, rows(range(100), dtype))
        store.flush()
        check(store, range(100), dtype)
    with open_store(tmp_path / "new" / "prefix", dtype) as store:
        assert store.find(rows(range(98, 102)).keys).tolist() == [True, True, False, False]
        check(store, reversed(range(100)), dtype)


def test_rows_are_spread_over_many_segments(tmp_path: Path, rows: MakeRows, check: Check) -> None:
    with open_store(tmp_path, segment_bytes=1) as store:
        for number in range(40):
            add(store, rows([number]))
        assert len(files(tmp_path)) == 40
        check(store, range(40))
    with open_store(tmp_path) as store:
        check(store, np.random.default_rng(0).permutation(40))


def test_a_segment_is_written_when_the_buffer_has_the_given_size(tmp_path: Path, rows: MakeRows) -> None:
    some = rows(range(6))
    store = open_store(tmp_path, segment_bytes=some.values.nbytes + 1)
    add(store, some)
    assert files(tmp_path) == []
    add(store, rows([6]))
    assert len(files(tmp_path)) == 1
    assert store.find(rows(range(8)).keys).tolist() == [True] * 7 + [False]


def test_rows_that_are_only_buffered_are_not_found(tmp_path: Path, rows: MakeRows) -> None:
    store = open_store(tmp_path)
    add(store, rows([1]))
    assert not store.find(rows([1]).keys).any()
    with pytest.raises(KeyError, match="1 of 1 keys"):
        store.locate(rows([1]).keys)
    store.flush()
    assert store.find(rows([1]).keys).all()


def test_of_a_repeated_key_the_first_row_stays(tmp_path: Path, rows: MakeRows, check: Check) -> None:
    """Repeated within a call, while buffered, when stored, and by the next run."""
    once = rows([3, 4])
    with open_store(tmp_path) as store:
        store.add(
            np.concatenate([once.keys, once.keys]),
            np.concatenate([once.lengths, once.lengths]),
            np.concatenate([once.values, np.zeros_like(once.values)]),
        )
        store.add(once.keys, once.lengths, np.zeros_like(once.values))
        store.flush()
        store.add(once.keys, once.lengths, np.zeros_like(once.values))
        store.flush()
        assert len(files(tmp_path)) == 1
        check(store, [3, 4])
    with open_store(tmp_path) as store:
        store.add(once.keys, once.lengths, np.zeros_like(once.values))
        store.flush()
        check(store, [3, 4])
    assert len(files(tmp_path)) == 1


def test_what_is_added_is_copied(tmp_path: Path, rows: MakeRows, check: Check) -> None:
    store = open_store(tmp_path)
    some = rows([1, 2])
    values, keys = some.values.copy(), some.keys.copy()
    store.add(keys, some.lengths, values)
    values[:] = 0
    keys[:] = 0
    store.flush()
    check(store, [1, 2])


def test_keys_that_differ_in_one_byte_only_are_different(tmp_path: Path) -> None:
    keys = np.concatenate([np.zeros((1, 16), np.uint8), np.eye(16, dtype=np.uint8)])
    values = np.arange(17 * WIDTH, dtype=np.float32).reshape(17, WIDTH)
    store = open_store(tmp_path)
    store.add(keys[::2], np.ones(9, np.int64), values[::2])
    store.flush()
    assert store.find(keys).tolist() == [index % 2 == 0 for index in range(17)]
    out = np.zeros((9, 1, WIDTH), np.float32)
    store.gather(store.locate(keys[::2]), np.arange(9), out)
    np.testing.assert_array_equal(out[:, 0], values[::2])


def test_a_row_without_tokens_is_stored(tmp_path: Path) -> None:
    key = np.full((1, 16), 7, np.uint8)
    with open_store(tmp_path) as store:
        store.add(key, np.array([0]), np.zeros((0, WIDTH), np.float32))
    with open_store(tmp_path) as store:
        out = np.ones((1, 2, WIDTH), np.float32)
        store.gather(store.locate(key), np.array([0]), out)
        assert not out.any()


def test_nothing_added_writes_nothing(tmp_path: Path, rows: MakeRows) -> None:
    with open_store(tmp_path) as store:
        add(store, rows([]))
        assert store.find(rows([]).keys).tolist() == []
    assert files(tmp_path) == []


def test_rows_are_gathered_by_their_place_among_the_located(tmp_path: Path, rows: MakeRows) -> None:
    store = open_store(tmp_path, segment_bytes=200)
    add(store, rows(range(10)))
    store.flush()
    locations = store.locate(rows(range(10)).keys)
    assert len(locations) == 10
    assert locations.lengths.tolist() == rows(range(10)).lengths.tolist()
    out = np.ones((3, 7, WIDTH), np.float32)
    store.gather(locations, np.array([6, 0, 6]), out)
    assert out[0].tobytes() == out[2].tobytes() == rows([6]).values.tobytes()
    assert out[1, :1].tobytes() == rows([0]).values.tobytes()
    assert not out[1, 1:].any()


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((2, 7, WIDTH), np.uint16, "should be float32"),
        ((3, 7, WIDTH), np.float32, r"of shape \[2, longest, 5\]"),
        ((2, 7, WIDTH + 1), np.float32, r"of shape \[2, longest, 5\]"),
        ((2, WIDTH), np.float32, r"of shape \[2, longest, 5\]"),
        ((2, 6, WIDTH), np.float32, "has room for 6 tokens; the longest row has 7"),
    ],
)
def test_gathering_into_what_does_not_fit_is_refused(
    tmp_path: Path, rows: MakeRows, shape: tuple[int, ...], dtype: Any, message: str
) -> None:
    store = open_store(tmp_path)
    add(store, rows([5, 6]))
    store.flush()
    with pytest.raises(ValueError, match=message):
        store.gather(store.locate(rows([5, 6]).keys), np.arange(2), np.zeros(shape, dtype))


def test_adding_what_does_not_fit_is_refused(tmp_path: Path, rows: MakeRows) -> None:
    some = rows([1, 2])
    store = open_store(tmp_path)
    with pytest.raises(ValueError, match=r"keys should be uint8 of shape \[rows, 16\]"):
        store.add(some.keys[:, :8], some.lengths, some.values)
    with pytest.raises(ValueError, match=r"keys should be uint8"):
        store.find(some.keys.astype(np.int64))
    with pytest.raises(ValueError, match="lengths should be 2 numbers"):
        store.add(some.keys, some.lengths[:1], some.values)
    with pytest.raises(ValueError, match="lengths should be 2 numbers"):
        store.add(some.keys, np.array([-1, 6]), some.values)
    with pytest.raises(
        ValueError, match=r"values should be float32 of shape \[5, 5\], not float32 of shape \[?\(4, 5\)"
    ):
        store.add(some.keys, some.lengths, some.values[:-1])
    with pytest.raises(ValueError, match="not uint16"):
        store.add(some.keys, some.lengths, some.values.view(np.uint16)[:, :WIDTH])
    store.close()
    assert files(tmp_path) == []


def test_other_dtypes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="float64"):
        open_store(tmp_path, np.float64)


@pytest.mark.parametrize("directory", ["gs://bucket/cache", "hdfs://host/cache"])
def test_a_remote_folder_is_refused(directory: str) -> None:
    with pytest.raises(UserError, match=f"^{directory}: a prefix cache must be a local folder; "):
        SegmentStore(directory, WIDTH, np.dtype(np.float32))


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("mine")
    with pytest.raises(UserError, match="the prefix cache can't be used: File exists"):
        open_store(tmp_path / "cache")
    assert (tmp_path / "cache").read_text() == "mine"


def test_only_segments_that_hold_what_is_asked_for_count_as_used(tmp_path: Path, rows: MakeRows) -> None:
    with open_store(tmp_path, segment_bytes=1) as store:
        for number in (1, 2):
            add(store, rows([number]))
    for path in files(tmp_path):
        os.utime(path, (1000, 1000))
    with open_store(tmp_path) as store:
        store.find(rows([1, 3]).keys)
    assert sorted(path.stat().st_mtime > 1000 for path in files(tmp_path)) == [False, True]


def test_a_segment_that_is_pruned_while_in_use_stays_readable(tmp_path: Path, rows: MakeRows, check: Check) -> None:
    with open_store(tmp_path) as store:
        add(store, rows(range(20)))
    with open_store(tmp_path) as store:
        assert store.find(rows(range(20)).keys).all()
        add(store, rows(range(20, 30)))
        store.flush()
        for path in files(tmp_path):
            path.unlink()
        check(store, range(30))


def test_a_segment_that_vanishes_before_it_is_used_counts_as_absent(
    tmp_path: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(tmp_path) as store:
        add(store, rows(range(4)))
    store = open_store(tmp_path)
    for path in files(tmp_path):
        path.unlink()
    with caplog.at_level(logging.INFO):
        assert not store.find(rows(range(4)).keys).any()
        add(store, rows(range(4)))
        store.flush()
        check(store, range(4))
    assert caplog.records == []


def test_a_key_in_two_segments_is_read_from_the_one_that_is_left(tmp_path: Path, rows: MakeRows, check: Check) -> None:
    first, second = open_store(tmp_path), open_store(tmp_path)
    for store in (first, second):
        add(store, rows(range(9)))
        store.flush()
    for index in range(2):
        store = open_store(tmp_path)
        path = files(tmp_path)[index]
        content = path.read_bytes()
        path.unlink()
        check(store, range(9))
        path.write_bytes(content)


def test_a_store_that_cannot_write_gives_the_rows_back_and_goes_on_reading(
    tmp_path: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "prefix"
    store = open_store(directory)
    add(store, rows([0, 1]))
    store.flush()
    directory.rename(tmp_path / "moved")
    add(store, rows([2]))
    add(store, rows([1, 3]))
    with pytest.raises(StoreFull, match="nothing more can be stored: No such file or directory") as caught:
        store.flush()
    expected = rows([2, 3])
    assert caught.value.keys.tolist() == expected.keys.tolist()
    assert caught.value.lengths.tolist() == expected.lengths.tolist()
    assert caught.value.values.tobytes() == expected.values.tobytes()
    (tmp_path / "moved").rename(directory)
    with pytest.raises(StoreFull) as caught:
        add(store, rows([1, 4]))
    assert caught.value.values.tobytes() == rows([4]).values.tobytes()
    assert store.find(rows(range(5)).keys).tolist() == [True, True, False, False, False]
    check(store, [0, 1])
    add(store, rows([0, 1]))
    store.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.records[0].name == "permafrost.prefix_cache"


def test_rows_that_cannot_be_stored_at_the_end_are_no_error(
    tmp_path: Path, rows: MakeRows, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(tmp_path / "prefix") as store:
        add(store, rows([1]))
        (tmp_path / "prefix").rmdir()
    assert caplog.messages[-1] == f"{tmp_path}/prefix: the last rows are not stored"


KEYS = [bytes([first] * 8 + [second] * 8) for first in range(3) for second in range(4)]
ADDED = st.lists(st.tuples(st.integers(0, len(KEYS) - 1), st.integers(0, 4)), max_size=6)
STEPS = st.lists(st.one_of(st.tuples(st.just("add"), ADDED), st.tuples(st.sampled_from(["flush", "reopen"]))))


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, segment_bytes=st.sampled_from([1, 100, 10**6]), dtype=st.sampled_from([np.float32, np.uint16]))
def test_it_is_like_a_dict_whose_entries_never_change(steps: list[Any], segment_bytes: int, dtype: Any) -> None:
    """Few keys, which share their first halves."""
    stored: dict[int, np.ndarray] = {}
    buffered: dict[int, np.ndarray] = {}
    keys = np.frombuffer(b"".join(KEYS), np.uint8).reshape(-1, 16)
    tokens = 0
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder), dtype, segment_bytes)
        for name, *arguments in steps:
            if name == "add":
                (added,) = arguments
                numbers = np.array([number for number, _ in added], np.int64)
                lengths = np.array([length for _, length in added], np.int64)
                values = (np.arange(lengths.sum() * WIDTH).reshape(-1, WIDTH) + tokens + 1).astype(dtype)
                tokens += values.size
                store.add(keys[numbers], lengths, values)
                for number, row in zip(numbers, np.split(values, np.cumsum(lengths))[:-1], strict=True):
                    if number not in stored:
                        buffered.setdefault(number, row)
            elif name == "flush":
                store.flush()
            else:
                store.close()
                store = open_store(Path(folder), dtype, segment_bytes)
            if name != "add" or sum(row.nbytes for row in buffered.values()) >= segment_bytes:
                stored |= buffered
                buffered = {}
            assert np.flatnonzero(store.find(keys)).tolist() == sorted(stored)
            order = np.array(sorted(stored), np.int64)
            out = np.ones((len(order), 4, WIDTH), dtype)
            store.gather(store.locate(keys[order]), np.arange(len(order)), out)
            for row, number in zip(out, order, strict=True):
                np.testing.assert_array_equal(row[: len(stored[number])], stored[number])
                assert not row[len(stored[number]) :].any()
