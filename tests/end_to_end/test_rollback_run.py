"""The second of two models is taken back: the next run compares with the first, and doesn't push the second."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Project = Any
ANY_MODEL = "evaluate.thresholds.accuracy.at_least=0.0"


def test_the_next_run_goes_by_the_rollback(make_small_project: Callable[..., Project], permafrost: Any) -> None:
    project = make_small_project(freeze='[{ freeze = "all" }]')
    first = project.run(ANY_MODEL)
    second = project.run(ANY_MODEL, "train.learning_rate=0.1")
    assert (first.outcome, second.outcome) == ("pushed", "pushed")

    assert permafrost("rollback", "--config", str(project.config_file)) == 0
    assert "is live again, as version" in permafrost.out
    served = project.pushed()
    assert len(served) == 3

    again = project.run(ANY_MODEL, "train.learning_rate=0.1")
    assert "Trainer" in again.cached
    assert (again.blessed, again.pushed_model, again.outcome) == (True, None, "not_blessed")
    assert "was withdrawn by a rollback, and is never pushed again" in again.not_pushed_because
    assert dict(again.evaluation.live) == pytest.approx(dict(first.evaluation.metrics)), "compared with the first"
    assert project.pushed() == served

    back = project.run(ANY_MODEL)
    assert back.outcome == "unchanged", "the first is live already, as the newest version"
    assert project.pushed() == served
