"""A model that ReleaseGate or Evaluator refuses stays out of the serving folder, and the one before goes on serving."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(make_small_project: Callable[..., Project]) -> Project:
    """One model is live."""
    made = make_small_project()
    assert made.run().release.verdict == "passed"
    assert len(made.pushed()) == 1
    return made


def test_a_model_that_is_too_large_is_not_pushed_and_the_live_one_stays(project: Project, permafrost: Any) -> None:
    live = project.pushed()
    limits = ["--set", "release_gate.max_size_mb=0.1", "--set", "train.epochs=2"]
    assert permafrost("run", "--config", str(project.config_file), "--json", *limits) == 3

    told = json.loads(permafrost.out)
    assert (told["blessed"], told["audit"], told["release_gate"]) == (True, "passed", "failed")
    assert told["pushed_model"] is None
    assert told["not_pushed_because"].startswith("the exported model has ")
    assert told["not_pushed_because"].endswith(" MB; release_gate.max_size_mb allows 0.1")
    lines = permafrost.err.splitlines()
    assert lines[lines.index("release gate failed:") + 1] == f"  {told['not_pushed_because']}"
    assert project.pushed() == live
    reports = (project.artifacts / "ReleaseGate" / "report").rglob("report.json")
    newest = max(reports, key=lambda path: int(Path(path).parent.name))
    (size,) = (check for check in json.loads(newest.read_text())["checks"] if check["name"] == "size in MB")
    assert (size["limit"], size["measured"] > 0.1) == (0.1, True)


def test_a_model_that_is_no_better_than_guessing_is_not_pushed(project: Project, permafrost: Any) -> None:
    live = project.pushed()
    # No model can show on four rows that it is better.
    settings = ["--set", "evaluate.must_beat_baseline=true"]
    assert permafrost("run", "--config", str(project.config_file), "--json", *settings) == 3

    told = json.loads(permafrost.out)
    assert (told["blessed"], told["metrics"]["baseline_accuracy"]) == (False, 0.5)
    (reason,) = told["not_blessed_because"]
    assert reason.startswith(f"accuracy {told['metrics']['accuracy']:.4f} isn't better by more than chance than the ")
    assert f"  {reason}" in permafrost.err.splitlines()
    assert project.pushed() == live

    assert permafrost("history", "--config", str(project.config_file), "--json") == 0
    newest, *_ = json.loads(permafrost.out.splitlines()[-1])["runs"]
    assert (newest["outcome"], newest["reason"], newest["metrics"]) == ("not_blessed", reason, told["metrics"])
