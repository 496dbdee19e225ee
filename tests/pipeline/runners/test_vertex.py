"""The PipelineJob of a config: valid by KFP's own schema, the same bytes each time, each step as it was asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.config_file import load_config
from pipeline.runners.job_file import write_job
from pipeline.runners.vertex import compile_job
from pipeline.vertex_settings import COMPONENTS
from trainer_module.errors import UserError

CONFIG = """
[pipeline]
name = "tickets"
root = "run"

[data]
train = "gs://my-bucket/tickets/train.csv"
eval = "gs://my-bucket/tickets/eval.csv"
text = ["text"]
label = "topic"

[model]
hub = "gs://my-bucket/hub/minilm"
freeze = [{ freeze = "embeddings" }, "freeze encoder[:3] until_epoch=2"]

[train]
epochs = 4
learning_rate = 3e-4

[evaluate.thresholds.accuracy]
at_least = 0.85
no_worse_than_live_by = 0.01

[push]
directory = "gs://my-bucket/serving"

[vertex]
project = "my-project"
region = "europe-west4"
staging_root = "gs://my-bucket/permafrost"
image = "europe-west4-docker.pkg.dev/my-project/permafrost/permafrost:1"
labels = { team = "support" }

[vertex.resources.ExampleGen]
cpu = 2

[vertex.resources.Trainer]
cpu = 8
memory = 30
accelerator = "NVIDIA_TESLA_T4"
accelerator_count = 2
"""
IMAGE = "europe-west4-docker.pkg.dev/my-project/permafrost/permafrost:1"
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tickets.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def job(config_file: Path) -> dict[str, Any]:
    return compile_job(load_config(config_file))


def changed(config_file: Path, *overrides: str) -> dict[str, Any]:
    return compile_job(load_config(config_file, overrides))


def containers(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By step; the steps that have one."""
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    return {
        label.removesuffix("_executor"): executor["container"]
        for label, executor in executors.items()
        if "container" in executor
    }


def tasks(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = job["pipelineSpec"]["root"]["dag"]["tasks"]
    return found


def constant(job: dict[str, Any], step: str, parameter: str) -> Any:
    """A parameter of a step, which holds JSON."""
    return json.loads(tasks(job)[step]["inputs"]["parameters"][parameter]["runtimeValue"]["constant"])


def test_kfps_schema_knows_all_of_it(job: dict[str, Any]):
    parsed = json_format.Parse(json.dumps(job), pipeline_spec_pb2.PipelineJob())
    # What the job holds as Struct is parsed by its own type, which refuses fields that it doesn't know.
    spec = json_format.ParseDict(json_format.MessageToDict(parsed.pipeline_spec), pipeline_spec_pb2.PipelineSpec())
    deployment = json_format.ParseDict(
        json_format.MessageToDict(spec.deployment_spec), pipeline_spec_pb2.PipelineDeploymentConfig()
    )
    assert spec.schema_version == "2.1.0"
    assert spec.pipeline_info.name == "tickets"
    assert set(deployment.executors) == {component.executor_label for component in spec.components.values()}
    assert {task.component_ref.name for task in spec.root.dag.tasks.values()} == set(spec.components)
    trainer = deployment.executors["Trainer_executor"].container
    assert (trainer.resources.cpu_limit, trainer.resources.memory_limit) == (8.0, 30.0)
    assert (trainer.resources.accelerator.type, trainer.resources.accelerator.count) == ("NVIDIA_TESLA_T4", 2)


def test_the_job(job: dict[str, Any]):
    assert job["displayName"] == "tickets"
    assert job["labels"]["team"] == "support"
    assert job["labels"]["tfx_runner"] == "kubeflow_v2"
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://my-bucket/permafrost"


def test_every_parameter_has_its_type_and_the_configs_value(job: dict[str, Any]):
    values = {
        "data_root": "gs://my-bucket/tickets/",
        "freeze": '[{"freeze": "embeddings"}, {"freeze": "encoder[:3]", "until_epoch": 2}]',
        "thresholds": '{"accuracy": {"at_least": 0.85, "no_worse_than_live_by": 0.01}}',
        "train": '{"epochs": 4, "learning_rate": 0.0003}',
        "train_steps": 0,
    }
    definitions = job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]
    assert job["runtimeConfig"]["parameterValues"] == values
    assert {name: definition["defaultValue"] for name, definition in definitions.items()} == values
    assert {name: definition["parameterType"] for name, definition in definitions.items()} == {
        name: "NUMBER_INTEGER" if name == "train_steps" else "STRING" for name in values
    }


def test_the_steps_that_read_each_parameter(job: dict[str, Any]):
    readers: dict[str, set[str]] = {}
    for name, task in tasks(job).items():
        for key, value in task.get("inputs", {}).get("parameters", {}).items():
            if "componentInputParameter" in value:
                readers.setdefault(value["componentInputParameter"], set()).add(f"{name}.{key}")
    assert readers == {
        "data_root": {"ExampleGen.input_base"},
        "freeze": {"FreezePlanner.freeze", "Trainer.freeze"},
        "train": {"FreezePlanner.train", "Trainer.train"},
        "train_steps": {"FreezePlanner.train_steps", "Trainer.train_steps"},
        "thresholds": {"FreezePlanner.thresholds", "Evaluator.thresholds"},
    }


def test_each_step_is_tfxs_entry_point_in_the_image(job: dict[str, Any]):
    steps = containers(job)
    assert set(steps) == set(COMPONENTS)
    executors = {step: container["args"][1] for step, container in steps.items()}
    assert executors == {
        "FreezePlanner": "components.freeze_planner.executor.Executor",
        "ExampleGen": "components.example_gen.delimited_executor.DelimitedExecutor",
        "StatisticsGen": "tfx.components.statistics_gen.executor.Executor",
        "SchemaGen": "tfx.components.schema_gen.executor.Executor",
        "ExampleValidator": "tfx.components.example_validator.executor.Executor",
        "DataProfile": "components.data_profile.executor.Executor",
        "DataGate": "components.data_gate.executor.Executor",
        "Transform": "tfx.components.transform.executor.Executor",
        "Trainer": "components.planned_trainer.executor.Executor",
        "Evaluator": "components.evaluator.executor.UnconvertedExecutor",
        "FreezeAudit": "components.freeze_audit.executor.Executor",
        "ReleaseGate": "components.release_gate.executor.Executor",
        "Pusher": "components.atomic_pusher.executor.Executor",
    }
    for step, container in steps.items():
        assert container["image"] == IMAGE
        entry_point = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
        assert container["command"] == ["python", "-m", entry_point]
        args = container["args"]
        assert args[:5:2] == [
            "--executor_class_path",
            "--json_serialized_invocation_args",
            "--json_serialized_inputs_spec_args",
        ]
        assert args[3] == "{{$}}"
        definitions = job["pipelineSpec"]["components"][step].get("inputDefinitions", {})
        assert json.loads(args[5]) == definitions
        assert args[6:] == [
            "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
            f"--sdk_container_image={IMAGE}",
        ]
        assert container["env"] == [{"name": "TF_USE_LEGACY_KERAS", "value": "1"}]


def test_each_step_may_use_what_was_asked_for(job: dict[str, Any]):
    resources = {step: container.get("resources") for step, container in containers(job).items()}
    assert {step: limits for step, limits in resources.items() if limits} == {
        "ExampleGen": {"cpuLimit": 2.0},
        "Trainer": {
            "cpuLimit": 8.0,
            "memoryLimit": 30.0,
            "accelerator": {"type": "NVIDIA_TESLA_T4", "count": "2"},
        },
    }


def test_what_waits_for_what(job: dict[str, Any]):
    assert {name: task.get("dependentTasks", []) for name, task in tasks(job).items()} == {
        "FreezePlanner": [],
        "ExampleGen": ["FreezePlanner"],
        "StatisticsGen": ["ExampleGen"],
        "SchemaGen": ["StatisticsGen"],
        "ExampleValidator": ["SchemaGen", "StatisticsGen"],
        "DataProfile": ["ExampleGen"],
        "live_model-model-blessing-resolver": [],
        "live_model-model-resolver": [],
        "DataGate": ["DataProfile", "ExampleValidator", "live_model-model-resolver"],
        "Transform": ["DataGate", "ExampleGen", "SchemaGen"],
        "Trainer": ["DataProfile", "FreezePlanner", "SchemaGen", "Transform"],
        "Evaluator": ["ExampleGen", "Trainer", "live_model-model-resolver"],
        "FreezeAudit": ["FreezePlanner", "Trainer"],
        "ReleaseGate": ["ExampleGen", "FreezeAudit", "Trainer", "Transform"],
        "Pusher": ["Evaluator", "ReleaseGate", "Trainer"],
    }


def test_the_trainer_waits_for_the_live_model_where_it_starts_from_it(config_file: Path):
    trainer = tasks(changed(config_file, 'train.start_from="live"'))["Trainer"]
    waits_for = ["DataProfile", "FreezePlanner", "SchemaGen", "Transform", "live_model-model-resolver"]
    assert trainer["dependentTasks"] == waits_for
    assert trainer["inputs"]["artifacts"]["base_model"] == {
        "taskOutputArtifact": {"producerTask": "live_model-model-resolver", "outputArtifactKey": "model"}
    }


def test_the_only_resolver_is_for_the_latest_blessed_model(job: dict[str, Any]):
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    assert {label: kind for label, executor in executors.items() for kind in executor if kind != "container"} == {
        "live_model-model-blessing-resolver_executor": "resolver",
        "live_model-model-resolver_executor": "resolver",
    }


def test_the_cache_is_asked_for_unless_it_is_turned_off(job: dict[str, Any], config_file: Path):
    assert {name for name, task in tasks(job).items() if task.get("cachingOptions") == {"enableCache": True}} == set(
        COMPONENTS
    )
    off = changed(config_file, "vertex.cache=false")
    assert not any("cachingOptions" in task for task in tasks(off).values())


def test_example_gens_driver(job: dict[str, Any], config_file: Path):
    driver = containers(job)["ExampleGen"]["lifecycle"]["preCacheCheck"]
    assert driver["command"] == ["python", "-m", "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver"]
    assert driver["args"][:2] == ["--json_serialized_invocation_args", "{{$}}"]
    assert not any("lifecycle" in container for step, container in containers(job).items() if step != "ExampleGen")


def test_whether_a_model_must_beat_its_baseline_is_fixed_when_it_is_compiled(job: dict[str, Any], config_file: Path):
    def bound(compiled: dict[str, Any]) -> list[float]:
        (spec,) = constant(compiled, "Evaluator", "eval_config")["metrics_specs"]
        (metric,) = [each for each in spec["metrics"] if json.loads(each["config"])["name"] == "baseline_p_value"]
        thresholds = metric.get("per_slice_thresholds", [])
        return [each["threshold"]["value_threshold"]["upper_bound"] for each in thresholds]

    assert bound(job) == [0.05]
    assert bound(changed(config_file, "evaluate.must_beat_baseline=false")) == []


@pytest.mark.parametrize(("setting", "default"), [(None, -1), ("data.span=7", 7)])
def test_spans(config_file: Path, setting: str | None, default: int):
    overrides = ["data.train=gs://b/{SPAN}/train.csv", "data.eval=gs://b/{SPAN}/eval.csv"]
    spanned = changed(config_file, *overrides, *([setting] if setting else []))
    definition = spanned["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]["span"]
    assert definition == {"parameterType": "NUMBER_INTEGER", "defaultValue": default}
    assert spanned["runtimeConfig"]["parameterValues"]["span"] == default
    assert tasks(spanned)["ExampleGen"]["inputs"]["parameters"]["span"] == {"componentInputParameter": "span"}
    driver = containers(spanned)["ExampleGen"]["lifecycle"]["preCacheCheck"]
    assert driver["command"] == ["python", "-m", "components.example_gen.v2_span_driver"]
    assert driver["args"][1] == "{{$}}"


def test_beams_options_reach_each_step(config_file: Path):
    dataflow = '{ runner = "DataflowRunner", sdk_container_image = "workers:1", max_workers = 4 }'
    args = containers(changed(config_file, f"beam={dataflow}"))["Transform"]["args"]
    assert args[6:] == [
        "--runner=DataflowRunner",
        "--project=my-project",
        "--region=europe-west4",
        "--temp_location=gs://my-bucket/permafrost/beam",
        "--sdk_container_image=workers:1",
        "--sdk_location=container",
        "--max_num_workers=4",
    ]


def test_training_in_a_custom_job(config_file: Path):
    training = '{ machine_type = "n1-standard-16", accelerator = "NVIDIA_TESLA_T4", workers = 3 }'
    trained = changed(config_file, "vertex.resources={}", f"vertex.training={training}")
    assert containers(trained)["Trainer"]["args"][1] == "components.planned_trainer.vertex_executor.Executor"
    given = constant(trained, "Trainer", "custom_config")
    assert given["bert"]["hub"] == "gs://my-bucket/hub/minilm"
    assert (given["ai_platform_enable_vertex"], given["ai_platform_vertex_region"]) == (True, "europe-west4")
    pools = given["ai_platform_training_args"]["job_spec"]["worker_pool_specs"]
    assert [pool["replica_count"] for pool in pools] == [1, 2]
    # The job's settings are the Trainer's alone: others would be run anew when they change.
    assert constant(trained, "FreezePlanner", "custom_config").keys() == {"bert"}


def test_pushing_to_an_endpoint(config_file: Path, job: dict[str, Any]):
    folder = {"filesystem": {"base_directory": "gs://my-bucket/serving"}}
    assert constant(job, "Pusher", "push_destination") == folder
    kept = tasks(changed(config_file, "push.keep_versions=3"))["Pusher"]["inputs"]["parameters"]["keep_versions"]
    assert kept["runtimeValue"]["constant"] == 3
    deployed = changed(config_file, 'push.vertex={ endpoint = "tickets", max_replicas = 2, traffic = 10 }')
    executor = "tfx.extensions.google_cloud_ai_platform.pusher.executor.Executor"
    assert containers(deployed)["Pusher"]["args"][1] == executor
    assert "push_destination" not in tasks(deployed)["Pusher"]["inputs"]["parameters"]
    assert constant(deployed, "Pusher", "custom_config") == {
        "ai_platform_serving_args": {
            "project": "my-project",
            "endpoint_name": "tickets",
            "machine_type": "n1-standard-4",
            "min_replica_count": 1,
            "max_replica_count": 2,
            "traffic_percentage": 10,
        },
        "ai_platform_vertex_container_image_uri": "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
        "ai_platform_enable_vertex": True,
        "ai_platform_vertex_region": "europe-west4",
    }


def test_what_cannot_work_there_is_told_at_once(config_file: Path):
    overrides = [
        "pipeline.name=My_Tickets",
        "data.train=rows.csv",
        "data.eval=/data/eval.csv",
        "model.hub=/models/bert",
        "model.preprocess=file:///elsewhere/preprocess",
        "model.vocab=/gcs/my-bucket/vocab.txt",
        "push.directory=/modelsx",
        'vertex.image_paths=["/models"]',
    ]
    with pytest.raises(UserError) as caught:
        changed(config_file, *overrides)
    folder = config_file.parent.resolve()
    advice = "copy it to gs://…, or, if the image holds it, name its folder in vertex.image_paths"
    assert caught.value.problems == [
        "pipeline.name: Vertex AI takes lower-case letters, digits and dashes only; write 'my-tickets'",
        f"data.train: a container on Vertex AI can't see {folder}/rows.csv; {advice}",
        f"data.eval: a container on Vertex AI can't see /data/eval.csv; {advice}",
        f"model.preprocess: a container on Vertex AI can't see file:///elsewhere/preprocess; {advice}",
        f"push.directory: a container on Vertex AI can't see /modelsx; {advice}",
    ]


@pytest.mark.parametrize(
    ("distribution", "training", "expected"),
    [
        ("mirrored", '{ machine_type = "n1-standard-8", workers = 3 }',
         "train.distribution: 'mirrored' leaves 2 of the 3 machines of vertex.training without work; "
         "write 'auto' or 'multi_worker', or set vertex.training.workers = 1"),
        ("multi_worker", '{ machine_type = "n1-standard-8" }',
         "train.distribution: 'multi_worker' needs several machines; set vertex.training.workers, or write 'auto'"),
    ],
)  # fmt: skip
def test_workers_and_how_they_train_must_agree(config_file: Path, distribution: str, training: str, expected: str):
    with pytest.raises(UserError) as caught:
        changed(
            config_file,
            f"train.distribution={distribution}",
            "vertex.resources={}",
            f"vertex.training={training}",
        )
    assert str(caught.value) == expected


def test_a_job_for_this_machine_may_use_its_files(config_file: Path):
    local = changed(config_file, "vertex.staging_root=staging", "data.train=rows.csv", "data.eval=more/eval.csv")
    folder = config_file.parent.resolve()
    assert local["runtimeConfig"]["gcsOutputDirectory"] == str(folder / "staging")
    assert local["runtimeConfig"]["parameterValues"]["data_root"] == f"{folder}/"


def test_without_a_section_there_is_nothing_to_compile():
    config = load_config(REPOSITORY / "configs" / "quickstart.toml")
    with pytest.raises(UserError, match=r"^vertex: is missing; .* see configs/vertex\.toml$"):
        compile_job(config)


def test_the_repositorys_own_config_compiles():
    assert set(containers(compile_job(load_config(REPOSITORY / "configs" / "vertex.toml")))) == set(COMPONENTS)


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(job: dict[str, Any], config_file: Path, tmp_path: Path):
    write_job(job, tmp_path / "here.json")
    command = "import sys; from pipeline.cli import main; sys.argv[0] = 'permafrost'; main()"
    output = tmp_path / "there.json"
    subprocess.run(
        [sys.executable, "-c", command, "compile", "--config", str(config_file), "--output", str(output)],
        check=True,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
    )
    assert output.read_bytes() == (tmp_path / "here.json").read_bytes()
