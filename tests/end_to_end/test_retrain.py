"""`permafrost retrain` as a timer calls it, on real sentences; its hook hears of each run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import Project

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("permafrost")
CONFIG = """
[data]
train = "rows.tsv"
columns = ["sentence", "label"]
delimiter = "\\t"
quoting = "none"
text = ["sentence"]
label = "label"

[model]
hub = "HUB"
max_tokens = 16
freeze = ["freeze all"]

[train]
steps = 2

[evaluate.thresholds.accuracy]
at_least = 0.1

[retrain]
attempts = 2
backoff_seconds = 0
hook = ["./tell.sh"]
"""
HOOK = """#!/bin/sh
cat > "{folder}/$PERMAFROST_OUTCOME.json"
"""


@pytest.fixture(scope="module")
def project(make_project: Callable[[str], Project], shared_data: Callable[[str], Path]) -> Project:
    project = make_project(CONFIG)
    rows = (shared_data("SST-2-sentence") / "train.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    project.write("rows.tsv", "".join(rows[:200]))
    project.write("tell.sh", HOOK.format(folder=project.folder)).chmod(0o755)
    return project


def retrain(project: Project, *overrides: str) -> "subprocess.CompletedProcess[str]":
    arguments = [argument for override in overrides for argument in ("--set", override)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return subprocess.run(
        [str(COMMAND), "retrain", "--once", "--config", project.config_file.name, *arguments],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def told(project: Project, outcome: str) -> dict[str, Any]:
    return json.loads((project.folder / f"{outcome}.json").read_text())


def test_a_better_model_goes_live_then_a_worse_one_does_not_and_a_mistake_stops(project: Project) -> None:
    done = retrain(project)
    assert (done.returncode, done.stderr) == (0, "")
    (version,) = project.pushed()
    summary = told(project, "pushed")
    assert summary["run"]["outcome"] == "pushed"
    assert summary["run"]["pushed_model"] == f"{project.serving}/{version}"
    assert summary["text"] == f"mine: pushed: {project.serving}/{version}"
    assert Path(summary["log_file"]).stat().st_size > 0
    assert summary["config"] == str(project.config_file)
    lines = done.stdout.splitlines()
    # Each line has its time, and none is drawn for a terminal.
    assert all(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ", line) for line in lines)
    assert "\x1b" not in done.stdout
    assert any(line.endswith(" mine: run begins (attempt 1 of 2)") for line in lines)
    assert any("✓ Trainer" in line for line in lines)

    done = retrain(project, "evaluate.thresholds.accuracy.at_least=0.999")
    assert (done.returncode, done.stderr) == (3, "")
    summary = told(project, "not_blessed")
    assert (summary["exit_code"], summary["attempts"]) == (3, 1)
    (reason,) = summary["run"]["not_blessed_because"]
    assert "accuracy" in reason and "0.999" in reason
    assert summary["text"] == f"mine: not blessed: {reason}"
    assert project.pushed() == [version]

    done = retrain(project, 'model.freeze=["freeze encoder[9]"]')
    assert (done.returncode, done.stderr) == (2, "")
    summary = told(project, "stopped")
    assert (summary["exit_code"], summary["attempts"], summary["run"]) == (2, 1, None)
    assert summary["error"].startswith("rule 1 `freeze encoder[9]`: there is no block 9: this model has 3 blocks")
    assert project.pushed() == [version]


def test_a_mistake_in_the_config_is_told_at_once_and_no_run_begins(project: Project) -> None:
    done = retrain(project, "retrain.attempts=0")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: retrain.attempts: ")
