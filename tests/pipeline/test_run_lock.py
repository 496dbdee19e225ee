"""One run at a time, and a killed one blocks nobody."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.run_lock import is_held, lock_file, run_lock
from trainer_module.errors import UserError

HOLDER = """
import sys
from pipeline.run_lock import run_lock
with run_lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""

Holder = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Holder]:
    """Starts a process that holds the lock of `root`."""
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "root")]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout and started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for each in started:
        each.communicate()


def test_another_process_is_named(tmp_path: Path, hold: Holder) -> None:
    root = str(tmp_path / "root")
    holder = hold()
    assert is_held(root)
    with pytest.raises(UserError) as caught, run_lock(root):
        pass
    told = (
        re.escape(f"pipeline.root: a run (process {holder.pid} on ") + r"\S+, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S+"
    )
    assert re.fullmatch(
        told
        + re.escape(f") holds {root}; one pipeline runs one at a time: wait for its end, or end it, then run again"),
        str(caught.value),
    )


def test_the_end_of_a_run_frees_the_lock(tmp_path: Path, hold: Holder) -> None:
    hold().communicate()
    assert not is_held(str(tmp_path / "root"))
    with run_lock(str(tmp_path / "root")):
        assert is_held(str(tmp_path / "root"))


def test_a_killed_run_blocks_nobody(tmp_path: Path, hold: Holder) -> None:
    holder = hold()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert not is_held(str(tmp_path / "root"))
    with run_lock(str(tmp_path / "root")):
        assert f'"pid": {os.getpid()}' in lock_file(str(tmp_path / "root")).read_text()


def test_a_run_that_fails_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it failed"), run_lock(str(tmp_path)):
        raise ValueError("it failed")
    with run_lock(str(tmp_path)):
        pass


def test_roots_don_t_wait_for_each_other(tmp_path: Path) -> None:
    with run_lock(str(tmp_path / "a")), run_lock(str(tmp_path / "b")):
        assert not is_held(str(tmp_path / "c"))


def test_a_remote_roots_lock_is_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with run_lock("gs://bucket/mine"):
        assert lock_file("gs://bucket/mine").parent == tmp_path / "permafrost"
        assert is_held("gs://bucket/mine")
        assert not is_held("gs://bucket/theirs")
