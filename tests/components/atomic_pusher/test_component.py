"""AtomicPusher as a pipeline gets it."""

from pathlib import Path

import pytest
from tfx import v1 as tfx
from tfx.proto import pusher_pb2
from tfx.types import Channel, standard_artifacts

from components.atomic_pusher.component import AtomicPusher

DESTINATION = pusher_pb2.PushDestination(
    filesystem=pusher_pb2.PushDestination.Filesystem(base_directory="gs://bucket/serving")
)


def test_it_takes_what_the_stock_pusher_takes_and_the_live_push() -> None:
    pusher = AtomicPusher(
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        infra_blessing=Channel(type=standard_artifacts.InfraBlessing),
        live_push=Channel(type=standard_artifacts.PushedModel),
        push_destination=DESTINATION,
        keep_versions=3,
    )
    assert set(pusher.inputs) == {"model", "model_blessing", "infra_blessing", "live_push"}
    assert {name: channel.type for name, channel in pusher.outputs.items()} == {
        "pushed_model": standard_artifacts.PushedModel
    }
    assert pusher.exec_properties["keep_versions"] == 3


def test_vertex_can_run_it(tmp_path: Path) -> None:
    pytest.importorskip("kfp.pipeline_spec", reason="TFX's V2 runner needs kfp")
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

    model = tfx.dsl.Importer(source_uri="gs://bucket/model", artifact_type=standard_artifacts.Model).with_id("model")
    pusher = AtomicPusher(model=model.outputs["result"], push_destination=DESTINATION).with_id("Pusher")
    pipeline = tfx.dsl.Pipeline("mine", "gs://bucket/root", components=[model, pusher])
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="image")
    job = kubeflow_v2_dag_runner.KubeflowV2DagRunner(config, str(tmp_path), "job.json").run(pipeline, write_out=True)
    inputs = job["pipelineSpec"]["root"]["dag"]["tasks"]["Pusher"]["inputs"]
    assert set(inputs["parameters"]) == {"push_destination"}
    assert set(inputs["artifacts"]) == {"model"}
