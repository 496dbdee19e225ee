"""The order of steps."""

from typing import Any

import pytest

from pipeline.compiled.order import topological_order
from trainer_module.errors import UserError

Job = Any
"""`conftest.JobBuilder`, which can't be imported by its name."""


def names(job: Job) -> list[str]:
    return [task.name for task in topological_order(job.load())]


def test_a_task_runs_after_all_that_it_takes_from_or_waits_for(job: Job) -> None:
    job.container("A", inputs={"x": "C.x"})
    job.container("B", parameters={"p": {"taskOutputParameter": {"producerTask": "A", "outputParameterKey": "p"}}})
    job.container("C", after=["D"], outputs={"x": "tfx.Model"})
    job.container("D")
    assert names(job) == ["D", "C", "A", "B"]


def test_a_producer_with_the_suffix_that_tfx_adds(job: Job) -> None:
    job.container("A", parameters={"p": {"taskOutputParameter": {"producerTask": "B_task", "outputParameterKey": "p"}}})
    job.container("B")
    assert names(job) == ["B", "A"]


def test_resolvers_look_before_containers_put_anything_out(job: Job) -> None:
    job.container("A")
    job.importer("z_importer", "tfx.Schema", {"constant": "/a"})
    job.resolver("y_resolver", "model", "state=LIVE", "tfx.Model")
    job.resolver("b_after_a", "model", "state=LIVE", "tfx.Model", after=["A"])
    assert names(job) == ["y_resolver", "z_importer", "A", "b_after_a"]


def test_no_tasks(job: Job) -> None:
    assert names(job) == []


def test_tasks_that_wait_for_each_other(job: Job) -> None:
    job.container("A", after=["C"])
    job.container("B")
    job.container("C", after=["A"])
    job.container("D", after=["C"])
    with pytest.raises(UserError, match=r"^these tasks wait for each other: A, C, D$"):
        names(job)
