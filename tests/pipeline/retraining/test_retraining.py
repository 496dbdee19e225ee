"""Attempts, their ends, and what is told of them; with a real process in the pipeline's place."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.retraining.retraining import Retraining

REPOSITORY = Path(__file__).resolve().parents[3]
Child = Any
Hook = tuple[list[str], Callable[[], list[dict[str, Any]]]]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "permafrost.retrain")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "permafrost.retrain"]


def test_a_pushed_model_ends_it_and_the_hook_gets_what_the_run_printed(make_child: Child, hook: Hook) -> None:
    command, received = hook
    child = make_child("pushed")
    assert child.retraining(hook=command).run() == 0
    (summary,) = received()
    assert summary["variable"] == summary["outcome"] == "pushed"
    assert summary["run"] == {"blessed": True, "pushed_model": "/serving/1", "metrics": {"accuracy": 0.9}}
    assert (summary["pipeline"], summary["config"]) == ("mine", "/configs/mine.toml")
    assert (summary["exit_code"], summary["attempts"], summary["error"]) == (0, 1, None)
    assert summary["text"] == "mine: pushed: /serving/1"
    assert child.attempts[0]["arguments"] == ["--log-file", summary["log_file"]]


def test_a_failure_is_tried_again_each_time_with_a_log_of_its_own_name(
    make_child: Child, hook: Hook, told: Callable[[], list[str]]
) -> None:
    command, received = hook
    child = make_child("crash", "killed", "pushed")
    assert child.retraining(hook=command).run() == 0
    assert [each["outcome"] for each in received()] == ["pushed"]
    assert received()[0]["attempts"] == len(child.attempts) == 3
    lines = "\n".join(told())
    assert "Trainer failed: OSError: no space; again in 0 seconds, from where it was" in lines
    assert "the run was killed by SIGKILL (perhaps out of memory); again in" in lines
    assert "mine: run begins (attempt 3 of 3)" in lines


def test_after_the_last_attempt_the_failure_stands(make_child: Child, hook: Hook) -> None:
    command, received = hook
    child = make_child("killed")
    assert child.retraining(hook=command, attempts=2).run() == 1
    assert len(child.attempts) == 2
    (summary,) = received()
    assert (summary["outcome"], summary["exit_code"], summary["attempts"]) == ("failed", 1, 2)
    assert summary["error"] == "the run was killed by SIGKILL (perhaps out of memory)"


@pytest.mark.parametrize(
    ("step", "code", "outcome", "error", "text"),
    [
        ("mistake", 2, "stopped", "2 problems:\n  - a: is missing\n  - b: is odd",
         "mine: stopped: 2 problems: - a: is missing - b: is odd"),
        ("not blessed", 3, "not_blessed", None, "mine: not blessed: accuracy is 0.5"),
    ],
)  # fmt: skip
def test_a_mistake_or_a_model_that_is_not_blessed_is_not_tried_again(
    make_child: Child, hook: Hook, step: str, code: int, outcome: str, error: str | None, text: str
) -> None:
    command, received = hook
    child = make_child(step)
    assert child.retraining(hook=command).run() == code
    assert len(child.attempts) == 1
    (summary,) = received()
    assert (summary["outcome"], summary["error"], summary["text"]) == (outcome, error, text)


def test_a_run_that_had_nothing_to_do_says_so_and_is_a_success(make_child: Child, hook: Hook) -> None:
    command, received = hook
    assert make_child("unchanged").retraining(hook=command, hook_on=["success"]).run() == 0
    assert received()[0]["text"] == "mine: unchanged: /serving/1"


@pytest.mark.slow
@pytest.mark.parametrize("step", ["hangs", "hangs on"])
def test_a_run_that_hangs_is_ended_and_counts_as_failed(make_child: Child, hook: Hook, step: str) -> None:
    command, received = hook
    child = make_child(step)
    start = time.monotonic()
    retraining = child.retraining(hook=command, attempts=1, timeout_hours=1 / 3600, grace_seconds=0.5)
    assert retraining.run() == 1
    assert time.monotonic() - start < 10
    assert received()[0]["error"] == "took longer than 1 seconds, and was ended"
    assert not os.path.exists(f"/proc/{child.attempts[0]['pid']}")


def test_what_a_run_started_does_not_outlive_it(make_child: Child) -> None:
    start = time.monotonic()
    assert make_child("leaves another").retraining().run() == 0
    assert time.monotonic() - start < 5


def test_a_long_log_does_not_block_the_run(make_child: Child, told: Callable[[], list[str]]) -> None:
    assert make_child("long log").retraining().run() == 0
    assert "x" * 1_000_000 in told()


def stop_in_first_attempt(child: Child, retraining: Retraining) -> None:
    """Requests a stop a moment after the first attempt began: when it hangs, or has crashed."""

    def stop() -> None:
        while not child.attempts:
            time.sleep(0.02)
        time.sleep(0.3)
        retraining.stop.requested.set()

    threading.Thread(target=stop).start()


def test_a_stop_ends_the_run_and_no_other_is_begun(make_child: Child, hook: Hook) -> None:
    command, received = hook
    child = make_child("hangs")
    retraining = child.retraining(hook=command)
    stop_in_first_attempt(child, retraining)
    assert retraining.run() == 1
    assert len(child.attempts) == 1
    assert received()[0]["error"] == "stopped by SIGTERM"


def test_a_stop_while_it_waits_for_the_next_attempt_begins_none(make_child: Child) -> None:
    child = make_child("crash")
    retraining = child.retraining(backoff_seconds=600)
    stop_in_first_attempt(child, retraining)
    start = time.monotonic()
    assert retraining.run() == 1
    assert time.monotonic() - start < 10
    assert len(child.attempts) == 1


HOLDER = """
import sys, time
from pipeline.run_lock import run_lock
with run_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold_lock(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    """Another process that runs the same pipeline for a while."""
    command = [sys.executable, "-c", HOLDER, str(folder), str(seconds)]
    holder = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.mark.slow
def test_another_run_is_waited_for(make_child: Child, tmp_path: Path, told: Callable[[], list[str]]) -> None:
    holder = hold_lock(tmp_path, 0.5)
    assert make_child("pushed").retraining(wait_for_lock=60).run() == 0
    assert holder.poll() is not None or holder.wait(1) == 0
    assert told()[0] == "mine: waits for another run of it, 60 seconds at most"


@pytest.mark.slow
def test_another_run_is_not_waited_for_longer_than_may_be(make_child: Child, tmp_path: Path) -> None:
    holder = hold_lock(tmp_path, 60)
    start = time.monotonic()
    try:
        # Its own lock is the child's to ask for.
        assert make_child("pushed").retraining(wait_for_lock=1).run() == 0
        assert 1 < time.monotonic() - start < 10
    finally:
        holder.kill()
        holder.wait()


def test_a_hook_is_called_for_what_it_asked_for_only(make_child: Child, hook: Hook) -> None:
    command, received = hook
    child = make_child("not blessed", "pushed", "mistake")
    retraining = child.retraining(hook=command, hook_on=["not_blessed", "failure"])
    assert [retraining.run() for _ in range(3)] == [3, 0, 2]
    assert [each["outcome"] for each in received()] == ["not_blessed", "stopped"]


def test_a_summary_is_json_that_holds_when_it_began(make_child: Child, hook: Hook) -> None:
    command, received = hook
    make_child("pushed").retraining(hook=command).run()
    assert time.strptime(received()[0]["started"], "%Y-%m-%dT%H:%M:%S%z")
    assert 0 < received()[0]["seconds"] < 60
    assert json.dumps(received()[0])


def test_a_scheduler_imports_nothing_of_the_pipelines_libraries() -> None:
    code = (
        "import sys, pipeline.cli.retrain\n"
        "print(sorted({'tensorflow', 'tfx', 'apache_beam', 'ml_metadata', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
