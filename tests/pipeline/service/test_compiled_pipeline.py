"""What is taken for a compiled pipeline."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.service.compiled_pipeline import Target, read_compiled
from trainer_module.errors import UserError


def refused(path: Path, target: Target) -> str:
    with pytest.raises(UserError) as error:
        read_compiled(path, target)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_a_job_for_vertex(job_file: Path) -> None:
    pipeline = read_compiled(job_file, "vertex")
    assert (pipeline.path, pipeline.name, pipeline.root) == (job_file, "tickets", "gs://my-bucket/permafrost")
    assert pipeline.labels == {"tfx_runner": "kubeflow_v2"}
    assert pipeline.values["train_steps"] == 0
    assert sorted(pipeline.spec["root"]["inputDefinitions"]["parameters"]) == ["data_root", "freeze", "train_steps"]
    assert pipeline.platform == {}


def test_a_package_for_kubeflow(package_file: Path) -> None:
    pipeline = read_compiled(package_file, "kfp")
    assert (pipeline.path, pipeline.name, pipeline.values, pipeline.labels) == (package_file, "tickets", {}, {})


def test_a_package_may_say_something_of_kubernetes(package_file: Path) -> None:
    platform: dict[str, Any] = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
    package_file.write_text(f"{package_file.read_text()}---\n{yaml.safe_dump(platform)}")
    assert read_compiled(package_file, "kfp").platform == platform


def test_the_other_service_s_form_is_refused(job_file: Path, package_file: Path, tmp_path: Path) -> None:
    assert refused(package_file, "vertex") == (
        "is not a PipelineJob: it has no pipelineSpec (it is a package for Kubeflow: --target kfp); "
        "make one with `permafrost compile`"
    )
    assert refused(job_file, "kfp") == "Kubeflow takes a package in a .yaml file: permafrost compile --target kfp"
    as_yaml = tmp_path / "job.yaml"
    as_yaml.write_text(job_file.read_text())
    message = "is a PipelineJob for Vertex; for Kubeflow: permafrost compile --target kfp"
    assert refused(as_yaml, "kfp") == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "is not a compiled pipeline"),
        ("{}", "is not a PipelineJob: it has no pipelineSpec"),
        ('{"pipelineSpec": {"schemaVersion": "2.1.0", "root": {}}}',
         "is not a compiled pipeline: it has no pipelineInfo, deploymentSpec"),
    ],
)  # fmt: skip
def test_what_is_no_pipeline_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(content)
    assert refused(path, "vertex") == f"{message}; make one with `permafrost compile`"


def test_what_the_schema_does_not_know_is_refused(job_file: Path) -> None:
    job = json.loads(job_file.read_text())
    job["pipelineSpec"]["rot"] = {}
    job_file.write_text(json.dumps(job))
    message = refused(job_file, "vertex")
    assert message.startswith("is not a compiled pipeline: ")
    assert '"rot"' in message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    make_one = "make one with `permafrost compile`"
    assert refused(tmp_path / "nowhere.json", "vertex") == f"no such file; {make_one}"
    assert refused(tmp_path, "vertex") == "cannot be read: Is a directory"
    binary = tmp_path / "model.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert refused(binary, "kfp") == f"is neither JSON nor YAML; {make_one}"
    binary.write_text("a: [")
    assert refused(binary, "kfp").startswith("cannot be read: while parsing")
    binary.write_text("")
    assert refused(binary, "kfp") == f"is not a compiled pipeline; {make_one}"
