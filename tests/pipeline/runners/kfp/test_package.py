import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from rich.console import Console

from pipeline.cli.compile import print_spec
from pipeline.config import PipelineConfig
from pipeline.config_file import load_config
from pipeline.runners.kfp.node_ir import node_ids, unpack
from pipeline.runners.kfp.package import compile_package
from trainer_module.errors import UserError

REPOSITORY = Path(__file__).parents[4]
TASKS = {
    "freeze-planner": "FreezePlanner",
    "example-gen": "ExampleGen",
    "statistics-gen": "StatisticsGen",
    "schema-gen": "SchemaGen",
    "example-validator": "ExampleValidator",
    "data-profile": "DataProfile",
    "data-gate": "DataGate",
    "transform": "Transform",
    "trainer": "Trainer",
    "live-model": "live_model",
    "evaluator": "Evaluator",
    "freeze-audit": "FreezeAudit",
    "release-gate": "ReleaseGate",
    "pusher": "Pusher",
}
OF_EVERY_STEP = ["metadata", "pipeline_root", "run_id"]

Package = Any
"""`conftest.Package`, which can't be imported by its name."""


@pytest.mark.slow
def test_the_kfp_sdk_takes_it_back(package: Package) -> None:
    component = components.load_component_from_file(str(package.path))
    inputs = {name: (spec.type, spec.optional) for name, spec in component.component_spec.inputs.items()}
    assert inputs == {
        "data_root": ("String", True),
        "freeze": ("String", True),
        "metadata": ("String", True),
        "pipeline_root": ("String", True),
        "thresholds": ("String", True),
        "train": ("String", True),
        "train_steps": ("Integer", True),
    }
    assert component.component_spec.name == "mine"


def test_it_is_valid_by_the_schema_of_pipeline_specs(package: Package) -> None:
    # Unknown fields and wrong types are refused.
    spec = json_format.ParseDict(package.spec, pb.PipelineSpec())
    deployment = json_format.ParseDict(package.spec["deploymentSpec"], pb.PipelineDeploymentConfig())
    json_format.ParseDict(package.platforms, pb.PlatformSpec())
    assert spec.schema_version == "2.1.0"
    assert {executor.WhichOneof("spec") for executor in deployment.executors.values()} == {"container"}


def test_the_order_of_the_steps(package: Package) -> None:
    tasks = package.spec["root"]["dag"]["tasks"]
    assert {name: task.get("dependentTasks", []) for name, task in tasks.items()} == {
        "freeze-planner": [],
        "live-model": [],
        "example-gen": ["freeze-planner"],
        "statistics-gen": ["example-gen"],
        "schema-gen": ["statistics-gen"],
        "example-validator": ["schema-gen", "statistics-gen"],
        "data-profile": ["example-gen"],
        "data-gate": ["data-profile", "example-validator", "live-model"],
        "transform": ["data-gate", "example-gen", "schema-gen"],
        "trainer": ["data-profile", "freeze-planner", "schema-gen", "transform"],
        "evaluator": ["example-gen", "live-model", "trainer"],
        "freeze-audit": ["freeze-planner", "trainer"],
        "release-gate": ["example-gen", "freeze-audit", "trainer", "transform"],
        "pusher": ["evaluator", "live-model", "release-gate", "trainer"],
    }


def test_kfp_caches_nothing_because_tfx_does(package: Package) -> None:
    assert {
        task["cachingOptions"].get("enableCache", False) for task in package.spec["root"]["dag"]["tasks"].values()
    } == {False}


def test_parameters_and_defaults(package: Package, kfp_folder: Path) -> None:
    definitions = package.spec["root"]["inputDefinitions"]["parameters"]
    assert {name: (each["parameterType"], each["defaultValue"]) for name, each in definitions.items()} == {
        "data_root": ("STRING", f"{kfp_folder}/"),
        "freeze": ("STRING", '[{"freeze": "embeddings"}]'),
        "metadata": ("STRING", "metadata-grpc-service.kubeflow:8080"),
        "pipeline_root": ("STRING", f"{kfp_folder}/artifacts"),
        "thresholds": ("STRING", '{"accuracy": {"at_least": 0.0}}'),
        "train": ("STRING", '{"epochs": 1}'),
        "train_steps": ("NUMBER_INTEGER", 0.0),
    }


def test_a_step_gets_the_parameters_that_its_node_reads(package: Package) -> None:
    of_settings = ["freeze", "train", "train_steps"]
    used = {
        "freeze-planner": [*of_settings, "thresholds"],
        "example-gen": ["data_root"],
        "trainer": of_settings,
        "evaluator": ["thresholds"],
    }
    for name, task in package.spec["root"]["dag"]["tasks"].items():
        inputs = task["inputs"]["parameters"]
        assert sorted(inputs) == sorted([*OF_EVERY_STEP, *used.get(name, [])]), name
        assert inputs.pop("run_id") == {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}}
        assert inputs == {each: {"componentInputParameter": each} for each in inputs}


def test_the_command_of_a_step(package: Package) -> None:
    container = package.container("trainer")
    assert container["image"] == "registry.example/permafrost:1"
    assert container["env"] == [{"name": "TF_USE_LEGACY_KERAS", "value": "1"}]
    assert container["command"] == ["python", "-m", "pipeline.runners.kfp.step"]
    expected = ["--node", "Trainer", "--run-id", "{{$.inputs.parameters['run_id']}}"]
    expected += ["--pipeline-root", "{{$.inputs.parameters['pipeline_root']}}"]
    expected += ["--metadata", "{{$.inputs.parameters['metadata']}}"]
    for name in ("freeze", "train", "train_steps"):
        expected += ["--parameter", name, f"{{{{$.inputs.parameters['{name}']}}}}"]
    assert container["args"][:-1] == [*expected, "--pipeline"]


def test_a_step_holds_its_own_node_and_no_other(package: Package) -> None:
    assert package.spec["root"]["dag"]["tasks"].keys() == TASKS.keys()
    for task, node_id in TASKS.items():
        packed = package.argument(task, "--pipeline")
        assert package.argument(task, "--node") == node_id
        assert node_ids(unpack(packed)) == [node_id]
        # Linux takes 128 KiB for one argument, and what KFP's driver is told of a container is one.
        assert len(json.dumps(package.container(task))) < 16 * 1024


def test_resources(package: Package) -> None:
    resources = {task: package.container(task).get("resources") for task in TASKS}
    trainer = resources.pop("trainer")
    assert trainer["cpuLimit"] == 7.5
    assert trainer["memoryLimit"] == 30.0
    assert {key: trainer["accelerator"][key] for key in ("type", "count")} == {"type": "nvidia.com/gpu", "count": "2"}
    assert set(resources.values()) == {None}


def test_every_step_mounts_the_volume(package: Package, kfp_folder: Path) -> None:
    executors = package.platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    mount = {"pvcMount": [{"constant": "rows-and-models", "mountPath": str(kfp_folder)}]}
    labels = {"nodeSelector": {"labels": {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}}}
    assert executors == {f"exec-{task}": mount | (labels if task == "trainer" else {}) for task in TASKS}


@pytest.mark.slow
def test_in_cloud_storage_nothing_is_mounted_and_vertex_settings_fill_in(
    make_kfp_config: Callable[..., PipelineConfig], tmp_path: Path
) -> None:
    config = make_kfp_config(
        "data.train=gs://my-bucket/{SPAN}/*.csv",
        "data.eval=gs://my-bucket/{SPAN}/eval/*.csv",
        "data.span=7",
        "model.hub=gs://my-bucket/hub",
        "push.directory=gs://my-bucket/serving",
        'kfp={pipeline_root="gs://my-bucket/kfp", resources={Transform={cpu=2}}}',
        'vertex={project="my-project", region="europe-west4", staging_root="gs://my-bucket/vertex", image="of:1",'
        " resources={Transform={cpu=8}, Evaluator={memory=16}}}",
    )
    path = tmp_path / "new" / "pipeline.yaml"
    spec = compile_package(config, path)
    containers = {name: each["container"] for name, each in spec["deploymentSpec"]["executors"].items()}
    assert {container["image"] for container in containers.values()} == {"of:1"}
    assert containers["exec-transform"]["resources"]["cpuLimit"] == 2.0
    assert containers["exec-evaluator"]["resources"]["memoryLimit"] == 16.0
    span = spec["root"]["inputDefinitions"]["parameters"]["span"]
    assert (span["parameterType"], span["defaultValue"]) == ("NUMBER_INTEGER", 7.0)
    assert "\n---\n" not in path.read_text(encoding="utf-8"), "no second document"
    assert [file.name for file in path.parent.iterdir()] == ["pipeline.yaml"]


COMPILE = """
import sys
from pathlib import Path
from pipeline.config_file import load_config
from pipeline.runners.kfp.package import compile_package
compile_package(load_config(Path(sys.argv[1])), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_another_process_compiles_the_same_bytes(package: Package, kfp_folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", COMPILE, str(kfp_folder / "mine.toml"), str(again)]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert again.read_bytes() == package.path.read_bytes()


def test_all_that_cannot_work_is_told_at_once(make_kfp_config: Callable[..., PipelineConfig], tmp_path: Path) -> None:
    config = make_kfp_config(
        "pipeline.name=My_Pipe", "data.train=/home/me/train.csv", 'kfp={volume={claim="c", mount="/mnt/x"}}'
    )
    with pytest.raises(UserError) as raised:
        compile_package(config, tmp_path / "pipeline.yaml")
    problems = raised.value.problems
    assert problems[:3] == [
        "pipeline.name: Kubeflow Pipelines takes lower-case letters, digits and dashes only; write 'my-pipe'",
        "kfp.image: is missing; give the container image that all steps run in",
        "kfp.pipeline_root: is missing; give a folder for artifacts, such as gs://my-bucket/permafrost",
    ]
    assert problems[3] == (
        "data.train: a step in a cluster can't see /home/me/train.csv; copy it to gs://… or below kfp.volume.mount "
        "(/mnt/x), or, if the image holds it, name its folder in kfp.image_paths"
    )
    assert [problem.partition(":")[0] for problem in problems[4:]] == ["data.eval", "model.hub", "push.directory"]
    assert list(tmp_path.iterdir()) == []


def test_a_config_without_the_section(make_kfp_config: Callable[..., PipelineConfig], tmp_path: Path) -> None:
    config = make_kfp_config().model_copy(update={"kfp": None})
    with pytest.raises(UserError, match=r"^kfp: is missing; .* needs a section \[kfp\], see configs/kfp.toml$"):
        compile_package(config, tmp_path / "pipeline.yaml")


def test_the_kfp_client_takes_yaml_only(make_kfp_config: Callable[..., PipelineConfig], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pipeline.json: a package for Kubeflow Pipelines is YAML; .* ends in .yaml$"):
        compile_package(make_kfp_config(), tmp_path / "pipeline.json")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ('kfp={volume={claim="c", mount="data"}}', "kfp.volume.mount: should match"),
        ('kfp={volume={claim="c", mount="/"}}', "kfp.volume.mount: should match"),
        ("kfp.metadata_port=70000", "kfp.metadata_port: should be less than 65536; given 70000"),
        ("kfp.metadata_host=http://host", "kfp.metadata_host: should match"),
        ("kfp={resources={Trainr={cpu=1}}}", "kfp.resources: there is no step 'Trainr'; did you mean 'Trainer'?"),
        ("kfp={resources={Trainer={cpu=0}}}", "kfp.resources.Trainer.cpu: should be greater than 0; given 0"),
        ("kfp.images=x", "kfp.images: is not a known key; did you mean 'image'?"),
    ],
)
def test_wrong_settings(make_kfp_config: Callable[..., PipelineConfig], override: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        make_kfp_config(override)
    (problem,) = raised.value.problems
    assert message in problem


@pytest.mark.slow
def test_the_config_to_copy_compiles_and_the_command_says_what_came_of_it(tmp_path: Path) -> None:
    spec = compile_package(load_config(REPOSITORY / "configs" / "kfp.toml"), tmp_path / "pipeline.yaml")
    console = Console(file=io.StringIO(), width=120)
    print_spec(console, spec)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    assert ["trainer", "8 CPUs, 30 GB, 1 nvidia.com/gpu"] in rows
    assert ["train_steps", "0"] in rows
    assert ["live-model", "what the service gives"] in rows
    assert ["pipeline_root", "/mnt/permafrost/artifacts"] in rows
    assert text.splitlines()[-1] == "image: my-registry/permafrost:0.1.0"
