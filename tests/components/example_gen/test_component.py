"""The component as a pipeline gets it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.base import executor_spec
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

from components.example_gen.component import make_example_gen
from components.example_gen.delimited_executor import DelimitedExecutor
from components.example_gen.row_format import RowFormat
from components.example_gen.tfrecord_executor import TfRecordExecutor
from trainer_module.errors import UserError

Write = Callable[[str, str | bytes], Path]
ROWS = RowFormat(text=["text"], label="label")


def test_separate_inputs() -> None:
    properties = make_example_gen("gs://b/train.csv", "gs://b/eval/", rows=ROWS).exec_properties
    assert properties["input_base"] == "gs://b/"
    assert json.loads(properties["input_config"]) == {
        "splits": [
            {"name": "train", "pattern": "train.csv"},
            {"name": "eval", "pattern": "eval/[!._]*"},
        ]
    }
    assert json.loads(properties["output_config"]) == {}
    assert json.loads(properties["custom_config"])["custom_config"]["value"] == {
        "rows": {"text": ["text"], "label": "label"}
    }


@pytest.mark.parametrize(("fraction", "train", "eval"), [(0.2, 4, 1), (0.001, 999, 1), (1 / 3, 2, 1), (0.99, 1, 99)])
def test_hash_split(fraction: float, train: int, eval: int) -> None:
    properties = make_example_gen("gs://b/rows.csv", None, fraction, rows=ROWS).exec_properties
    assert json.loads(properties["input_config"]) == {"splits": [{"name": "all", "pattern": "rows.csv"}]}
    assert json.loads(properties["output_config"]) == {
        "split_config": {"splits": [{"name": "train", "hash_buckets": train}, {"name": "eval", "hash_buckets": eval}]}
    }


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 0.0001])
def test_a_split_that_is_none(fraction: float) -> None:
    with pytest.raises(UserError) as error:
        make_example_gen("gs://b/rows.csv", None, fraction, rows=ROWS)
    assert str(error.value) == f"data.eval_fraction: must be from 0.001 to 0.999; given {fraction!r}"


def test_the_format_chooses_the_executor() -> None:
    for format, executor in [("csv", DelimitedExecutor), ("tfrecord", TfRecordExecutor)]:
        rows = ROWS.model_copy(update={"format": format})
        spec = make_example_gen("/rows.x", rows=rows).executor_spec
        assert isinstance(spec, executor_spec.BeamExecutorSpec)
        assert spec.executor_class is executor


@pytest.mark.slow
def test_the_same_data_is_read_once(write: Write, tmp_path: Path) -> None:
    train = write("train.csv", "text,label\nfine,pos\npoor,neg\n")
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))

    def run() -> list[int]:
        BeamDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="rows",
                pipeline_root=str(tmp_path / "root"),
                components=[make_example_gen(str(train), str(train), rows=ROWS)],
                enable_cache=True,
                metadata_connection_config=connection,
            )
        )
        with metadata.Metadata(connection) as handler:
            return [execution.last_known_state for execution in handler.store.get_executions()]

    complete, cached = metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED
    assert run() == [complete]
    assert run() == [complete, cached]
    train.write_text("text,label\nfine,pos\npoor,neg\nfair,pos\n")
    assert run() == [complete, cached, complete]
    with metadata.Metadata(connection) as handler:
        newest = max(handler.store.get_artifacts_by_type("Examples"), key=lambda artifact: artifact.id)
    assert newest.custom_properties["rows_train"].int_value == 3
