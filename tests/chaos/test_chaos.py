"""The real thing, in small: what `make chaos` does with the quickstart's model, with a tiny one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.soak
def test_two_kills_and_a_diverging_training_do_no_harm(tiny_hub: Path):
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "kills", "loss_not_a_number", "--kills", "2", "--hub", str(tiny_hub)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"2 × kill -9 *│ yes", done.stdout)
    assert re.search(r"loss is not a number *│ yes", done.stdout)


@pytest.mark.slow
def test_an_unknown_part_is_refused(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "earthquake", "--hub", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert done.returncode == 2
    assert "earthquake" in done.stderr
