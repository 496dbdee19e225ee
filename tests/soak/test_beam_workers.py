"""A whole run whose Beam steps are carried out by worker processes."""

from collections.abc import Callable

import pytest

from tests.support.project import Project

pytestmark = pytest.mark.soak


def test_a_run_by_two_workers_has_the_rows_and_the_model_of_a_run_by_none(
    make_small_project: Callable[..., Project],
) -> None:
    project = make_small_project(freeze='[{ freeze = "all" }]')
    none = project.run()
    assert none.outcome == "pushed"
    by_workers = project.run("beam.workers=2", "pipeline.root=other", "push.directory=elsewhere")
    assert not by_workers.cached
    assert by_workers.outcome == "pushed"
    assert by_workers.evaluation is not None and none.evaluation is not None
    assert by_workers.evaluation.metrics == pytest.approx(none.evaluation.metrics)
