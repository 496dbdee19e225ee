"""What a container is told, and what it tells."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.artifact_store import Artifact
from pipeline.compiled.executor_input import (
    BadOutput,
    as_json,
    make_executor_input,
    make_outputs,
    read_output,
    read_output_parameters,
    updated_artifacts,
)
from pipeline.compiled.job import Task

Job = Any
"""`conftest.JobBuilder`, which can't be imported by its name."""

MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}


def task(job: Job) -> Task:
    result: Task = job.load().tasks["A"]
    return result


def told(job: Job, tmp_path: Path, **content: Any) -> tuple[Task, pb.ExecutorInput, pb.ExecutorOutput]:
    """The container's output file holds `content`."""
    loaded = task(job)
    message = make_executor_input(loaded, {}, {}, make_outputs(loaded, tmp_path, "n"), tmp_path)
    Path(message.outputs.output_file).write_text(json.dumps(content))
    return loaded, message, read_output(message)


def test_the_whole_message(job: Job, tmp_path: Path) -> None:
    job.container("A", outputs={"blessing": "tfx.ModelBlessing"}, output_parameters={"span": "NUMBER_INTEGER"})
    job.spec["components"]["A"]["outputDefinitions"]["artifacts"]["blessing"]["metadata"] = {"a": 1}
    model = Artifact(name="m/1/Trainer/model", title="tfx.Model", type=MODEL, uri="/model", metadata={"steps": 3})
    loaded = task(job)
    outputs = make_outputs(loaded, tmp_path / "A_1", "mine/1/A")
    parameters = {"text": "a", "number": 3, "rate": 0.5, "flag": True, "list": [1], "object": {"a": None}}
    message = make_executor_input(loaded, {"model": [model], "baseline": []}, parameters, outputs, tmp_path / "A_1")
    assert json.loads(as_json(message)) == {
        "inputs": {
            "artifacts": {
                "baseline": {},
                "model": {
                    "artifacts": [
                        {"name": "m/1/Trainer/model", "type": MODEL, "uri": "/model", "metadata": {"steps": 3}}
                    ]
                },
            },
            "parameterValues": parameters,
        },
        "outputs": {
            "artifacts": {
                "blessing": {
                    "artifacts": [
                        {
                            "name": "mine/1/A/blessing",
                            "type": {"instanceSchema": "title: tfx.ModelBlessing\ntype: object\n"},
                            "uri": f"{tmp_path}/A_1/blessing",
                            "metadata": {"a": 1},
                        }
                    ]
                }
            },
            "parameters": {"span": {"outputFile": f"{tmp_path}/A_1/output_parameters/span"}},
            "outputFile": f"{tmp_path}/A_1/executor_output.json",
        },
    }
    assert "\n" not in as_json(message)


def test_schema_2_0_gets_its_own_form_of_parameters_as_well(job: Job, tmp_path: Path) -> None:
    job.container("A")
    message = make_executor_input(task(job), {}, {"a": "x", "b": 3, "c": 0.5}, {}, tmp_path, is_legacy=True)
    assert json_format.MessageToDict(message.inputs)["parameters"] == {
        "a": {"stringValue": "x"},
        "b": {"intValue": "3"},
        "c": {"doubleValue": 0.5},
    }
    assert json_format.MessageToDict(message.inputs)["parameterValues"] == {"a": "x", "b": 3, "c": 0.5}


def test_what_is_a_folder_is_there_and_what_is_a_file_is_not(job: Job, tmp_path: Path) -> None:
    """A bucket needs no folders, and TFX's executors and ours write as into one."""
    job.container("A", outputs={"model": "tfx.Model", "custom": "components.FreezePlan", "text": "tfx.String"})
    kfp_type = {"artifactType": {"schemaTitle": "system.Model"}}
    job.spec["components"]["A"]["outputDefinitions"]["artifacts"]["kfp"] = kfp_type
    make_outputs(task(job), tmp_path / "A_1", "n")
    assert sorted(path.name for path in (tmp_path / "A_1").iterdir()) == ["custom", "model"]


def test_a_container_adds_to_an_artifact(job: Job, tmp_path: Path) -> None:
    job.container("A", outputs={"model": "tfx.Model", "other": "tfx.Model"})
    job.spec["components"]["A"]["outputDefinitions"]["artifacts"]["model"]["metadata"] = {"kept": "k", "changed": 1}
    artifacts = {"model": {"artifacts": [{"uri": "/moved", "metadata": {"changed": 2, "new": "n"}}]}, "x": {}}
    loaded, _, output = told(job, tmp_path, artifacts=artifacts, unknown=1)
    before = make_outputs(loaded, tmp_path, "n")
    after = updated_artifacts(before, output)
    assert after["model"].uri == "/moved"
    assert after["model"].metadata == {"kept": "k", "changed": 2, "new": "n"}
    assert after["other"] == before["other"]
    assert list(after) == ["model", "other"]


def test_a_container_in_schema_2_0_adds_properties(job: Job, tmp_path: Path) -> None:
    job.container("A", outputs={"model": "tfx.Model"})
    model = {"properties": {"span": {"intValue": "3"}}, "customProperties": {"hub": {"stringValue": "x"}}}
    loaded, _, output = told(job, tmp_path, artifacts={"model": {"artifacts": [model]}})
    assert updated_artifacts(make_outputs(loaded, tmp_path, "n"), output)["model"].metadata == {"span": 3, "hub": "x"}


def test_a_container_that_tells_nothing(job: Job, tmp_path: Path) -> None:
    job.container("A", outputs={"model": "tfx.Model"})
    loaded = task(job)
    outputs = make_outputs(loaded, tmp_path, "n")
    message = make_executor_input(loaded, {}, {}, outputs, tmp_path)
    assert updated_artifacts(outputs, read_output(message)) == outputs


def test_an_output_file_that_cannot_be_read(job: Job, tmp_path: Path) -> None:
    job.container("A")
    message = make_executor_input(task(job), {}, {}, {}, tmp_path)
    Path(message.outputs.output_file).write_text("{")
    with pytest.raises(BadOutput, match=r"executor_output.json: is not an ExecutorOutput: "):
        read_output(message)


def test_output_parameters_from_the_output_file_or_from_their_own(job: Job, tmp_path: Path) -> None:
    kinds = {"span": "NUMBER_INTEGER", "rate": "NUMBER_DOUBLE", "text": "STRING", "rules": "LIST"}
    job.container("A", output_parameters=kinds)
    loaded, message, output = told(job, tmp_path, parameterValues={"span": 3, "unknown": 1})
    for key, content in {"span": "9", "rate": " 3\n", "text": " a\n", "rules": "[1]\n"}.items():
        Path(message.outputs.parameters[key].output_file).write_text(content)
    values = read_output_parameters(loaded, message, output)
    assert values == {"span": 3, "rate": 3.0, "text": " a\n", "rules": [1]}
    assert (type(values["span"]), type(values["rate"])) == (int, float)


@pytest.mark.parametrize(
    ("content", "file", "expected"),
    [
        ({}, None, "output parameter span: was not written"),
        ({}, "x", "output parameter span: should be an integer; given 'x'"),
        ({"parameterValues": {"span": "x"}}, None, 'output parameter span: should be an integer; given "x"'),
    ],
)
def test_an_output_parameter_that_cannot_be_read(
    job: Job, tmp_path: Path, content: dict[str, Any], file: str | None, expected: str
) -> None:
    job.container("A", output_parameters={"span": "NUMBER_INTEGER"})
    loaded, message, output = told(job, tmp_path, **content)
    if file is not None:
        Path(message.outputs.parameters["span"].output_file).write_text(file)
    with pytest.raises(BadOutput) as error:
        read_output_parameters(loaded, message, output)
    assert str(error.value) == expected
