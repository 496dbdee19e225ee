"""FreezeAudit as a pipeline gets it."""

import json
from pathlib import Path

import pytest
from tfx import v1 as tfx
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import Channel, standard_artifacts

from components.artifacts import FreezeAudit as FreezeAuditArtifact
from components.artifacts import FreezePlan
from components.freeze_audit.component import FreezeAudit
from components.freeze_planner.component import FreezePlanner

CONFIG = {"bert": {"hub": "models/bert", "text": ["a"], "label": "b"}}


def channels() -> dict[str, Channel]:
    return {"model": Channel(type=standard_artifacts.Model), "freeze_plan": Channel(type=FreezePlan)}


def test_it_takes_model_and_plan_and_gives_blessing_and_audit() -> None:
    audit = FreezeAudit(**channels(), custom_config=CONFIG)
    assert audit.id == "FreezeAudit"
    assert set(audit.inputs) == {"model", "freeze_plan"}
    assert {name: channel.type for name, channel in audit.outputs.items()} == {
        "blessing": standard_artifacts.InfraBlessing,
        "audit": FreezeAuditArtifact,
    }
    assert json.loads(audit.exec_properties["custom_config"]) == CONFIG


def test_it_may_take_the_trainers_record_too() -> None:
    model_run = Channel(type=standard_artifacts.ModelRun)
    assert FreezeAudit(**channels(), custom_config=CONFIG, model_run=model_run).inputs["model_run"] is model_run


def test_the_settings_may_be_a_runtime_parameter() -> None:
    parameter = RuntimeParameter(name="bert", ptype=str)
    assert FreezeAudit(**channels(), custom_config=parameter).exec_properties == {"custom_config": parameter}


def test_vertex_can_run_it(tmp_path: Path) -> None:
    """TFX's V2 runner compiles it, with our own artifact types, ahead of Pusher."""
    pytest.importorskip("kfp.pipeline_spec", reason="TFX's V2 runner needs kfp")
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

    planner = FreezePlanner(custom_config=CONFIG)
    model = tfx.dsl.Importer(source_uri="gs://bucket/model", artifact_type=standard_artifacts.Model).with_id("model")
    audit = FreezeAudit(model=model.outputs["result"], freeze_plan=planner.outputs["freeze_plan"], custom_config=CONFIG)
    pusher = tfx.components.Pusher(
        model=model.outputs["result"],
        infra_blessing=audit.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory="gs://bucket/serving")
        ),
    )
    pipeline = tfx.dsl.Pipeline("mine", "gs://bucket/root", components=[planner, model, audit, pusher])
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="image")
    job = kubeflow_v2_dag_runner.KubeflowV2DagRunner(config, str(tmp_path), "job.json").run(pipeline, write_out=True)
    assert (tmp_path / "job.json").is_file()
    spec = job["pipelineSpec"]
    assert spec["root"]["dag"]["tasks"]["Pusher"]["dependentTasks"] == ["FreezeAudit", "model"]
    outputs = spec["components"]["FreezeAudit"]["outputDefinitions"]["artifacts"]
    assert {name: output["artifactType"]["instanceSchema"] for name, output in outputs.items()} == {
        "blessing": "title: tfx.InfraBlessing\ntype: object\n",
        "audit": "title: components.FreezeAudit\ntype: object\n",
    }
