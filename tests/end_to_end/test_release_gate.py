"""A model that ReleaseGate refuses stays out of the serving folder, and the one before goes on serving."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import Project

pytestmark = pytest.mark.slow


def test_a_model_that_is_too_large_is_not_pushed_and_the_live_one_stays(
    make_small_project: Callable[..., Project], permafrost: Any
) -> None:
    project = make_small_project()
    first = project.run()
    assert first.release.verdict == "passed"
    live = project.pushed()
    assert len(live) == 1

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
