"""A scheduler, and a single run, in a process that gets signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Child = Any
REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = """
import json, logging, sys
from pipeline.retrain_settings import RetrainSettings
from pipeline.retraining.once import run_once
from pipeline.retraining.retraining import Retraining
from pipeline.retraining.scheduler import run_by_the_clock
from pipeline.retraining.stop import Stop
from apscheduler.triggers.interval import IntervalTrigger

logging.basicConfig(stream=sys.stdout, format="%(message)s")
logging.getLogger("permafrost.retrain").setLevel(logging.INFO)
logging.getLogger("apscheduler").setLevel(logging.ERROR)
how, folder, command, settings = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])
retraining = Retraining("mine", "mine.toml", RetrainSettings.model_validate(settings), folder, command, Stop())
if how == "once":
    sys.exit(run_once(retraining))
run_by_the_clock(retraining, IntervalTrigger(seconds=0.25, timezone="UTC"))
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    def start(how: str, child: Child, **settings: object) -> "subprocess.Popen[str]":
        arguments = [how, str(tmp_path), json.dumps(child.command), json.dumps({"backoff_seconds": 0, **settings})]
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )

    return start


def wait_for_attempts(child: Child, count: int) -> None:
    end = time.monotonic() + 60
    while len(child.attempts) < count:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_and_the_scheduler(
    make_child: Child, start: Callable[..., "subprocess.Popen[str]"], number: signal.Signals
) -> None:
    child = make_child("pushed", "hangs")
    process = start("clock", child)
    wait_for_attempts(child, 2)
    # While the second one hangs, the times for others go by.
    time.sleep(0.7)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(child.attempts) == 2
    assert not os.path.exists(f"/proc/{child.attempts[1]['pid']}")
    lines = out.splitlines()
    assert lines[0].startswith("mine: next run 20")
    assert "a run is left out: the one before hasn't ended" in lines
    assert f"{number.name}: ending" in lines
    assert any(line.startswith(f"mine: failed: stopped by {number.name}") for line in lines)
    assert lines[-1] == "mine: ended"


def test_a_failed_run_does_not_keep_the_next_from_coming(
    make_child: Child, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    child = make_child("mistake", "killed", "pushed")
    process = start("clock", child, attempts=1)
    wait_for_attempts(child, 4)
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "mine: stopped: 2 problems" in out
    assert "mine: failed: the run was killed by SIGKILL" in out
    assert "mine: pushed: /serving/1" in out


def test_a_scheduler_that_waits_ends_at_once(make_child: Child, start: Callable[..., "subprocess.Popen[str]"]) -> None:
    child = make_child("pushed")
    process = start("clock", child)
    wait_for_attempts(child, 1)
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_single_run_that_is_ended_failed(make_child: Child, start: Callable[..., "subprocess.Popen[str]"]) -> None:
    child = make_child("hangs on")
    process = start("once", child, grace_seconds=0.5)
    wait_for_attempts(child, 1)
    time.sleep(0.2)
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert not os.path.exists(f"/proc/{child.attempts[0]['pid']}")
    assert "mine: failed: stopped by SIGTERM" in out
