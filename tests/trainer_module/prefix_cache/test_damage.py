"""A damaged or foreign segment is ignored with a warning, never half-used."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.prefix_cache.segment_header import HEADER_BYTES
from trainer_module.prefix_cache.segments import SegmentStore

WIDTH = 5
MakeRows = Callable[..., Any]
Check = Callable[..., None]


@pytest.fixture
def directory(tmp_path: Path, rows: MakeRows) -> Path:
    """Rows 0 to 9 in one segment, 10 to 19 in another."""
    with open_store(tmp_path) as store:
        for numbers in (range(10), range(10, 20)):
            some = rows(numbers)
            store.add(some.keys, some.lengths, some.values)
            store.flush()
    return tmp_path


def open_store(directory: Path, width: int = WIDTH, dtype: Any = np.float32) -> SegmentStore:
    return SegmentStore(str(directory), width, np.dtype(dtype))


def segment_of(directory: Path, rows: MakeRows, number: int) -> Path:
    key = rows([number]).keys.tobytes()
    (path,) = [path for path in directory.iterdir() if key in path.read_bytes()]
    return path


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def assert_first_is_ignored(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    """And that its rows can be stored anew, and are then right for the next run too."""
    path = segment_of(directory, rows, 12)
    damaged = next(other for other in directory.iterdir() if other != path)
    with open_store(directory) as store:
        everything = rows(range(20))
        assert store.find(everything.keys).tolist() == [False] * 10 + [True] * 10
        check(store, range(10, 20))
        store.add(everything.keys, everything.lengths, everything.values)
        store.flush()
        check(store, range(20))
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("permafrost.prefix_cache", logging.WARNING)
    assert record.getMessage() == f"{damaged} is ignored: {reason}"
    with open_store(directory) as store:
        check(store, range(20))


def test_a_flipped_bit_anywhere_in_the_header(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    path = segment_of(directory, rows, 0)
    for place in range(HEADER_BYTES):
        caplog.clear()
        flip(path, place)
        with open_store(directory) as store:
            assert store.find(rows(range(20)).keys).tolist() == [False] * 10 + [True] * 10, place
        assert len(caplog.records) == 1
        flip(path, place)
    with open_store(directory) as store:
        check(store, range(20))


def test_a_flipped_bit_in_a_key(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    path = segment_of(directory, rows, 0)
    flip(path, path.read_bytes().index(rows([4]).keys.tobytes()) + 15)
    # Found by the other rows' keys.
    reason = "the checksum of its index is wrong"
    with open_store(directory) as store:
        assert store.find(rows(range(20)).keys).tolist() == [False] * 10 + [True] * 10
    assert [record.getMessage() for record in caplog.records] == [f"{path} is ignored: {reason}"]


def test_a_flipped_bit_in_a_length(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    path = segment_of(directory, rows, 0)
    flip(path, HEADER_BYTES + 10 * 16)
    assert_first_is_ignored(directory, rows, check, caplog, "the checksum of its index is wrong")


@pytest.mark.parametrize("place", [0, -1])
def test_a_flipped_bit_in_the_values(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture, place: int
) -> None:
    path = segment_of(directory, rows, 0)
    values = path.read_bytes().index(rows(range(10)).values.tobytes())
    flip(path, values if place == 0 else place)
    assert_first_is_ignored(directory, rows, check, caplog, "the checksum of its values is wrong")


def test_a_flipped_bit_in_values_that_nobody_asks_for_disturbs_nobody(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    flip(segment_of(directory, rows, 0), -1)
    with open_store(directory) as store:
        check(store, range(10, 20))
    assert caplog.records == []


@pytest.mark.parametrize("kept", [-1, -100, HEADER_BYTES + 40, HEADER_BYTES])
def test_a_truncated_segment(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture, kept: int
) -> None:
    path = segment_of(directory, rows, 0)
    content = path.read_bytes()
    path.write_bytes(content[:kept])
    reason = f"it has {len(content[:kept]):,} bytes and should have {len(content):,}"
    assert_first_is_ignored(directory, rows, check, caplog, reason)


def test_a_segment_with_something_behind_it(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    path = segment_of(directory, rows, 0)
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    reason = f"it has {len(content) + 1:,} bytes and should have {len(content):,}"
    assert_first_is_ignored(directory, rows, check, caplog, reason)


def test_a_header_cut_short(directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture) -> None:
    path = segment_of(directory, rows, 0)
    path.write_bytes(path.read_bytes()[: HEADER_BYTES - 1])
    assert_first_is_ignored(directory, rows, check, caplog, "the checksum of its header is wrong")


@pytest.mark.parametrize("content", [b"", b"PFROST", b"something else entirely" * 100])
def test_a_foreign_file(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    segment_of(directory, rows, 0).write_bytes(content)
    assert_first_is_ignored(directory, rows, check, caplog, "it is not a segment of a prefix cache")


def test_files_that_are_not_named_like_segments_are_not_looked_at(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    (directory / "notes.txt").write_text("mine")
    (directory / "folder").mkdir()
    with open_store(directory) as store:
        check(store, range(20))
    assert caplog.records == []


def test_a_segment_that_changes_between_opening_and_use(
    directory: Path, rows: MakeRows, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(directory)
    path = segment_of(directory, rows, 0)
    path.write_bytes(segment_of(directory, rows, 12).read_bytes())
    assert store.find(rows(range(20)).keys).tolist() == [False] * 10 + [True] * 10
    check(store, range(10, 20))
    assert caplog.messages == [f"{path} is ignored: its header has changed"]


def test_a_folder_of_another_width(directory: Path, rows: MakeRows, caplog: pytest.LogCaptureFixture) -> None:
    with open_store(directory, width=WIDTH + 1) as store:
        assert not store.find(rows(range(20)).keys).any()
    assert len(caplog.messages) == 2
    for message in caplog.messages:
        assert message.endswith("it holds float32 values of width 5, this run needs float32 of width 6")


def test_a_folder_of_another_dtype(directory: Path, rows: MakeRows, caplog: pytest.LogCaptureFixture) -> None:
    """Half the numbers a token, so that the sizes fit."""
    with open_store(directory, width=2 * WIDTH, dtype=np.uint16) as store:
        assert not store.find(rows(range(20)).keys).any()
    assert len(caplog.messages) == 2
    for message in caplog.messages:
        assert message.endswith("it holds float32 values of width 5, this run needs uint16 of width 10")


def test_a_pipe_among_the_segments_is_not_waited_for(
    directory: Path, rows: MakeRows, caplog: pytest.LogCaptureFixture
) -> None:
    path = segment_of(directory, rows, 12)
    path.unlink()
    os.mkfifo(path)
    with open_store(directory):
        pass
    assert "it isn't a regular file" in caplog.text
