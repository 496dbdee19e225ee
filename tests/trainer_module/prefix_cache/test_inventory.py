"""What a prefix cache holds, and what of it goes first."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from trainer_module.errors import UserError
from trainer_module.prefix_cache.inventory import (
    DESCRIPTION_FILE,
    PrefixDescription,
    StoredPrefix,
    StoredSegment,
    describe,
    read_inventory,
    remove,
    select_prefix,
    to_prune,
)
from trainer_module.prefix_cache.segments import SegmentStore

MakeRows = Callable[..., Any]
DESCRIPTION = {
    "hub": "models/bert",
    "parts": ["embeddings", "encoder[0]", "encoder[1]"],
    "dtype": "float32",
    "max_tokens": 128,
}


@pytest.fixture
def cache(tmp_path: Path, rows: MakeRows) -> Path:
    """Prefix `aaa` with three segments of 1, 2 and 3 rows, last used 1000, 2000 and 3000; `abb` with none."""
    folder = tmp_path / "cache"
    for digest in ("aaa", "abb"):
        describe(str(folder / digest), DESCRIPTION)
    with SegmentStore(str(folder / "aaa"), 5, np.dtype(np.float32)) as store:
        for numbers in ([0], [1, 2], [3, 4, 5]):
            before = set((folder / "aaa").iterdir())
            some = rows(numbers)
            store.add(some.keys, some.lengths, some.values)
            store.flush()
            (made,) = set((folder / "aaa").iterdir()) - before
            os.utime(made, (len(numbers) * 1000, len(numbers) * 1000))
    return folder


def test_what_is_stored_is_told_by_prefix(cache: Path) -> None:
    (cache / "notes.txt").write_text("mine")
    (cache / "foreign").mkdir()
    first, second = read_inventory(str(cache))
    assert (first.digest, first.rows, first.last_used) == ("aaa", 6, 3000)
    assert first.size == sum(path.stat().st_size for path in (cache / "aaa").glob("*.segment"))
    assert sorted((segment.rows, segment.last_used) for segment in first.segments) == [(1, 1000), (2, 2000), (3, 3000)]
    assert first.description.hub == "models/bert"
    assert (second.digest, second.rows, second.size, second.last_used) == ("abb", 0, 0, None)


def test_a_damaged_segment_counts_with_its_size_and_no_rows(cache: Path) -> None:
    (path,) = [each for each in (cache / "aaa").glob("*.segment") if each.stat().st_mtime == 3000]
    path.write_bytes(path.read_bytes()[:-1])
    (prefix, _) = read_inventory(str(cache))
    assert prefix.rows == 3
    assert prefix.size == sum(each.stat().st_size for each in (cache / "aaa").glob("*.segment"))


def test_reading_the_inventory_is_no_use_of_it(cache: Path) -> None:
    read_inventory(str(cache))
    assert read_inventory(str(cache))[0].last_used == 3000


@pytest.mark.parametrize(
    ("parts", "depth"),
    [
        (["embeddings"], "embeddings"),
        (["embeddings", "encoder[0]"], "embeddings + 1 block"),
        (["embeddings", *(f"encoder[{index}]" for index in range(12)), "pooler"], "embeddings + 12 blocks + pooler"),
    ],
)
def test_the_parts_in_short(parts: list[str], depth: str) -> None:
    assert PrefixDescription.model_validate(DESCRIPTION | {"parts": parts}).depth == depth


def test_a_description_is_readable_json_and_the_first_one_stays(tmp_path: Path) -> None:
    describe(str(tmp_path / "new" / "aaa"), DESCRIPTION)
    content = (tmp_path / "new" / "aaa" / DESCRIPTION_FILE).read_text()
    written = json.loads(content)
    assert {name: written[name] for name in DESCRIPTION} == DESCRIPTION
    assert written["kind"] == "permafrost prefix cache"
    describe(str(tmp_path / "new" / "aaa"), DESCRIPTION | {"hub": "elsewhere"})
    assert (tmp_path / "new" / "aaa" / DESCRIPTION_FILE).read_text() == content
    assert os.listdir(tmp_path / "new" / "aaa") == [DESCRIPTION_FILE]


def test_a_description_that_cannot_be_read_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / DESCRIPTION_FILE).write_text("{")
    describe(str(tmp_path), DESCRIPTION)
    assert json.loads((tmp_path / DESCRIPTION_FILE).read_text())["hub"] == "models/bert"


def test_a_description_must_be_complete(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="max_tokens"):
        describe(str(tmp_path), {"hub": "models/bert", "parts": [], "dtype": "float32"})
    with pytest.raises(ValidationError, match="dtype"):
        describe(str(tmp_path), DESCRIPTION | {"dtype": "float64"})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="can't be written: Not a directory"):
        describe(str(tmp_path / "file" / "aaa"), DESCRIPTION)
    with pytest.raises(UserError, match="must be a local folder"):
        describe("gs://bucket/aaa", DESCRIPTION)


def test_what_is_no_prefix_cache_is_refused(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such folder; "):
        read_inventory(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="s3://bucket: a prefix cache must be a local folder"):
        read_inventory("s3://bucket")
    with pytest.raises(UserError, match="this is one prefix of a cache; give the folder that it is in"):
        read_inventory(str(cache / "aaa"))
    foreign = tmp_path / "foreign"
    (foreign / "sub").mkdir(parents=True)
    (foreign / "sub" / DESCRIPTION_FILE).write_text('{"name": "somebody else\'s"}')
    with pytest.raises(UserError, match=r"this is no prefix cache: no folder in it has a prefix.json of Permafrost's"):
        read_inventory(str(foreign))


def test_a_prefix_is_named_by_the_beginning_of_its_digest(cache: Path) -> None:
    prefixes = read_inventory(str(cache))
    assert select_prefix(prefixes, "aa").digest == "aaa"
    assert select_prefix(prefixes, "abb").digest == "abb"
    with pytest.raises(UserError, match=r"^--prefix: 'a' matches more than one of: aaa, abb$"):
        select_prefix(prefixes, "a")
    with pytest.raises(UserError, match=r"^--prefix: 'b' matches none of: aaa, abb$"):
        select_prefix(prefixes, "b")
    with pytest.raises(UserError, match=r"^--prefix: '' matches none of"):
        select_prefix(prefixes, "")


def prefix(*sizes_and_times: tuple[int, float]) -> StoredPrefix:
    segments = tuple(StoredSegment(f"{size}", 1, size, used) for size, used in sizes_and_times)
    return StoredPrefix("folder", PrefixDescription.model_validate(DESCRIPTION), segments)


@pytest.mark.parametrize(
    ("older_than", "max_size", "chosen"),
    [
        (None, None, ["10", "20", "30", "40"]),
        (950.0, None, []),
        (900.0, None, []),
        (899.0, None, ["10"]),
        (650.0, None, ["10", "20", "30"]),
        (None, 100, []),
        (None, 99, ["10"]),
        (None, 90, ["10"]),
        (None, 89, ["10", "20"]),
        (None, 0, ["10", "20", "30", "40"]),
        (750.0, 95, ["10", "20"]),
        (899.0, 50, ["10", "20", "30"]),
    ],
)
def test_the_least_recently_used_goes_first_whatever_its_prefix(
    older_than: float | None, max_size: int | None, chosen: list[str]
) -> None:
    prefixes = [prefix((30, 300.0), (10, 100.0)), prefix((40, 400.0), (20, 200.0))]
    assert [segment.path for segment in to_prune(prefixes, 1000.0, older_than, max_size)] == chosen


def test_removing_takes_the_chosen_segments_and_old_leftovers_and_nothing_else(cache: Path) -> None:
    (cache / "aaa" / "notes.txt").write_text("mine")
    foreign = cache / "aaa" / f"{'0' * 32}.segment"
    foreign.write_text("named like a segment")
    leftover, young = cache / "abb" / f"{'1' * 32}.tmp", cache / "abb" / f"{'2' * 32}.tmp"
    for path in (leftover, young):
        path.write_text("half")
    os.utime(leftover, (time.time() - 3600, time.time() - 3600))
    prefixes = read_inventory(str(cache))
    chosen = to_prune(prefixes, 4000.0, 1500.0, None)
    assert len(chosen) == 2
    remove(prefixes, chosen)
    assert sorted(os.listdir(cache / "abb")) == sorted([DESCRIPTION_FILE, young.name])
    (kept,) = [segment for each in read_inventory(str(cache)) for segment in each.segments]
    assert kept.last_used == 3000
    names = [DESCRIPTION_FILE, "notes.txt", foreign.name, os.path.basename(kept.path)]
    assert sorted(os.listdir(cache / "aaa")) == sorted(names)


def test_removing_what_another_process_removed_is_no_error(cache: Path) -> None:
    prefixes = read_inventory(str(cache))
    remove(prefixes, to_prune(prefixes, 0.0, None, None))
    remove(prefixes, to_prune(prefixes, 0.0, None, None))
    assert os.listdir(cache / "aaa") == [DESCRIPTION_FILE]


def test_a_link_is_not_followed(cache: Path, tmp_path: Path) -> None:
    (cache / "zzz").symlink_to(cache / "aaa")
    (cache / "abb" / f"{'3' * 32}.segment").symlink_to(next((cache / "aaa").glob("*.segment")))
    first, second = read_inventory(str(cache))
    assert (first.digest, len(first.segments), second.digest, len(second.segments)) == ("aaa", 3, "abb", 0)
