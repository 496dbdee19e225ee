"""Beam stays in this process while a pipeline runs."""

from apache_beam import Create, Pipeline
from apache_beam.runners.direct.direct_runner import SwitchingDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline.runners.in_process_beam import in_process_beam


def test_a_pipeline_that_names_no_runner_gets_the_one_of_this_process() -> None:
    with in_process_beam():
        pipeline = Pipeline(argv=[])
        assert type(pipeline.runner) is FnApiRunner
        pipeline | Create([1])
        assert pipeline.run().wait_until_finish() == "DONE"


def test_a_runner_that_is_named_is_taken() -> None:
    with in_process_beam():
        assert isinstance(Pipeline(argv=["--runner=DirectRunner"]).runner, SwitchingDirectRunner)


def test_afterwards_beam_decides_again() -> None:
    with in_process_beam():
        pass
    assert isinstance(Pipeline(argv=[]).runner, SwitchingDirectRunner)
