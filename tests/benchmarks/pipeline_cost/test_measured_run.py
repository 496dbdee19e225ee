"""What repeated runs add up to, and what is read of one run."""

from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from benchmarks.pipeline_cost.measured_run import PipelineRun, _component_seconds, median_of


def made(seconds: float, before: float, transform: float) -> PipelineRun:
    return PipelineRun(
        system="tfx",
        rows=260,
        steps=13,
        seconds=seconds,
        seconds_before=before,
        component_seconds={"Transform": transform},
    )


def test_each_of_the_seconds_has_its_own_median() -> None:
    assert median_of([made(90, 9, 20), made(110, 7, 30), made(80, 8, 40)]) == made(90, 8, 30)


def test_one_run_is_its_own_median() -> None:
    assert median_of([made(90, 9, 20)]) == made(90, 9, 20)


def test_seconds_are_those_between_the_start_and_the_end_of_an_execution(tmp_path: Path) -> None:
    connection = mlmd.ConnectionConfig()
    connection.sqlite.filename_uri = str(tmp_path / "metadata.sqlite")
    store = MetadataStore(connection)
    node = store.put_context_type(mlmd.ContextType(name="node"))
    kind = store.put_execution_type(mlmd.ExecutionType(name="kind"))
    for name in ("mine.CsvExampleGen", "mine.Trainer"):
        context = mlmd.Context(type_id=node, name=name)
        execution = mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.COMPLETE)
        store.put_execution(execution, [], [context])
    stored = {context.name: store.get_executions_by_context(context.id)[0] for context in store.get_contexts()}
    start, seconds = _component_seconds(tmp_path / "metadata.sqlite")
    assert start == pytest.approx(min(each.create_time_since_epoch for each in stored.values()) / 1000)
    assert seconds == {
        name: pytest.approx((each.last_update_time_since_epoch - each.create_time_since_epoch) / 1000)
        for name, each in (("ExampleGen", stored["mine.CsvExampleGen"]), ("Trainer", stored["mine.Trainer"]))
    }
