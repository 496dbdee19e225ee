"""Real processes: killed at any moment, two at once, on a full disk."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.prefix_cache.segments import SegmentStore

WIDTH = 5
ROWS = 400
MakeRows = Callable[..., Any]
Check = Callable[..., None]
Start = Callable[..., "subprocess.Popen[str]"]

ADD_ALL = f"""
numbers = np.random.default_rng(int(sys.argv[2])).permutation({ROWS}).tolist()
store = SegmentStore(directory, {WIDTH}, np.dtype(np.float32), segment_bytes=1000)
print("ready", flush=True)
for first in range(0, {ROWS}, 4):
    rows = make_rows(numbers[first : first + 4])
    store.add(rows.keys, rows.lengths, rows.values)
store.flush()
check_rows(store, range({ROWS}))
"""
KILLED_BEFORE_RENAMING = f"""
os.rename = lambda source, target: os.kill(os.getpid(), signal.SIGKILL)
rows = make_rows(range(10))
store = SegmentStore(directory, {WIDTH}, np.dtype(np.float32))
store.add(rows.keys, rows.lengths, rows.values)
store.flush()
"""
STOPPED_BEFORE_RENAMING = f"""
def wait(source, target):
    print("written", flush=True)
    sys.stdin.readline()
    os.replace(source, target)
os.rename = wait
rows = make_rows(range(10))
store = SegmentStore(directory, {WIDTH}, np.dtype(np.float32))
store.add(rows.keys, rows.lengths, rows.values)
store.flush()
"""
FILL_UP = f"""
from trainer_module.prefix_cache.segments import StoreFull
store = SegmentStore(directory, {WIDTH}, np.dtype(np.float32), segment_bytes=4000)
kept = []
for number in range(4000):
    rows = make_rows([number])
    try:
        store.add(rows.keys, rows.lengths, rows.values)
    except StoreFull as full:
        kept += [key.tobytes() for key in full.keys]
store.close()
keys = make_rows(range(4000)).keys
found = SegmentStore(directory, {WIDTH}, np.dtype(np.float32))
stored = found.find(keys)
check_rows(found, np.flatnonzero(stored).tolist())
assert set(kept) == {{key.tobytes() for key in keys[~stored]}}
names = os.listdir(directory)
assert all(name.endswith(".segment") for name in names), names
print(len(names), stored.sum(), len(kept))
"""


def open_store(directory: Path) -> SegmentStore:
    return SegmentStore(str(directory), WIDTH, np.dtype(np.float32))


def finish(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return output


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_wrong_and_the_next_goes_on(
    tmp_path: Path, rows: MakeRows, check: Check, start: Start
) -> None:
    before = 0
    delays = random.Random(0)
    for seed in range(8):
        process = start(ADD_ALL, tmp_path, seed)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delays.uniform(0, 0.03))
        process.kill()
        process.communicate()
        with open_store(tmp_path) as store:
            found = np.flatnonzero(store.find(rows(range(ROWS)).keys)).tolist()
            check(store, found)
        assert len(found) >= before
        before = len(found)
    assert before > 0
    finish(start(ADD_ALL, tmp_path, 100))
    with open_store(tmp_path) as store:
        check(store, range(ROWS))


def test_a_process_killed_just_before_its_segment_is_complete_leaves_a_file_that_is_removed_later(
    tmp_path: Path, rows: MakeRows, start: Start
) -> None:
    process = start(KILLED_BEFORE_RENAMING, tmp_path)
    process.communicate()
    assert process.returncode == -9
    (leftover,) = tmp_path.iterdir()
    with open_store(tmp_path) as store:
        assert not store.find(rows(range(10)).keys).any()
    assert leftover.exists()
    age(leftover)
    open_store(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_process_that_is_still_writing_stays(
    tmp_path: Path, rows: MakeRows, check: Check, start: Start
) -> None:
    """However old it looks."""
    process = start(STOPPED_BEFORE_RENAMING, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    (unfinished,) = tmp_path.iterdir()
    age(unfinished)
    open_store(tmp_path).close()
    assert unfinished.exists()
    process.communicate("go on\n", timeout=300)
    assert process.returncode == 0
    with open_store(tmp_path) as store:
        check(store, range(10))


def age(path: Path) -> None:
    day_before = time.time() - 86400
    os.utime(path, (day_before, day_before))


@pytest.mark.slow
def test_two_processes_add_the_same_rows_at_the_same_time(tmp_path: Path, check: Check, start: Start) -> None:
    processes = [start(ADD_ALL, tmp_path, seed) for seed in range(2)]
    for process in processes:
        finish(process)
    with open_store(tmp_path) as store:
        check(store, range(ROWS))


@pytest.mark.slow
def test_everything_pruned_again_and_again_while_a_process_adds_breaks_nothing(tmp_path: Path, start: Start) -> None:
    """The process checks its own rows at its end."""
    process = start(ADD_ALL, tmp_path, 0)
    pruned = 0
    while process.poll() is None:
        for path in tmp_path.glob("*.segment"):
            path.unlink()
            pruned += 1
    finish(process)
    assert pruned > 10


def test_a_file_size_limit_is_met_without_losing_a_row(tmp_path: Path, start: Start) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
    assert finish(start(limit + FILL_UP, tmp_path)) == "0 0 4000\n"


@pytest.mark.slow
def test_a_full_disk_is_met_without_losing_a_row(tmp_path: Path, start: Start) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, to mount a small disk")
    # In a mount namespace of its own: the disk is gone with its processes.
    small_disk = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=256k none "$0" && exec "$@"', str(tmp_path))
    if subprocess.run([*small_disk, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    segments, stored, kept = map(int, finish(start(FILL_UP, tmp_path, before=small_disk)).split())
    assert segments > 10
    assert stored + kept == 4000
    assert 1000 < stored < 4000
    assert list(tmp_path.iterdir()) == []
