"""Reading a compiled job: what it holds, and what is refused before anything runs."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.compiled.job import load_job
from trainer_module.errors import UserError

Job = Any
"""`conftest.JobBuilder`, which can't be imported by its name."""


def refusal(path: Path) -> list[str]:
    with pytest.raises(UserError) as error:
        load_job(path)
    return [problem.removeprefix(f"{path}: ") for problem in error.value.problems]


def test_what_a_job_holds(job: Job) -> None:
    job.parameter("steps", "NUMBER_INTEGER", defaultValue=3)
    job.content["runtimeConfig"]["parameterValues"] = {"steps": 4}
    job.container("Trainer", outputs={"model": "tfx.Model"})
    job.resolver("live", "model", "state=LIVE", "tfx.Model")
    job.importer("schema", "tfx.Schema", {"constant": "/schema"})
    loaded = job.load()
    assert loaded.name == "mine"
    assert {name: task.kind for name, task in loaded.tasks.items()} == {
        "Trainer": "container",
        "live": "resolver",
        "schema": "importer",
    }
    assert list(loaded.parameters) == ["steps"]
    assert loaded.given == {"steps": 4}
    assert loaded.root == "gs://bucket/root"
    assert not loaded.is_legacy
    assert list(loaded.tasks["Trainer"].component.output_definitions.artifacts) == ["model"]


def test_a_spec_without_a_job_around_it_in_yaml(job: Job, tmp_path: Path) -> None:
    """That is what the kfp compiler writes, with a second document for platforms."""
    job.container("Trainer")
    job.spec["defaultPipelineRoot"] = "minio://bucket"
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump_all([job.spec, {"platforms": {"kubernetes": {}}}]))
    loaded = load_job(path)
    assert (loaded.name, list(loaded.tasks), loaded.root) == ("mine", ["Trainer"], "minio://bucket")


def test_parameters_of_schema_2_0(job: Job) -> None:
    job.spec["schemaVersion"] = "2.0.0"
    job.spec["root"]["inputDefinitions"]["parameters"]["steps"] = {"type": "INT"}
    job.content["runtimeConfig"]["parameters"] = {"steps": {"intValue": "4"}}
    job.container("Trainer")
    loaded = job.load()
    assert loaded.is_legacy
    assert loaded.given == {"steps": 4}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("pipeline.json", "{", "is not JSON: Expecting property name"),
        ("pipeline.json", "[]", "is not a compiled pipeline: it has neither `pipelineSpec`"),
        ("pipeline.json", '{"pipeline": {}}', "is not a compiled pipeline"),
        ("pipeline.json", '{"pipelineSpec": 3}', "is not a valid PipelineJob: Failed to parse pipelineSpec"),
        ("pipeline.json", '{"pipelineInfo": {"nmae": "a"}}', "is not a valid PipelineJob: "),
        ("pipeline.yaml", "a: [", "is not YAML: "),
        ("pipeline.yaml", "", "is not a compiled pipeline"),
        ("pipeline.json", b"\xff\xfe", "is not text in UTF-8"),
    ],
)
def test_what_is_no_job_is_refused(name: str, content: str | bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (problem,) = refusal(path)
    assert problem.startswith(expected)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.json") == ["no such file; `permafrost compile` writes one"]


def test_a_folder_is_no_job(tmp_path: Path) -> None:
    assert refusal(tmp_path) == ["no such file; `permafrost compile` writes one"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"triggerPolicy": {"condition": "1 == 1"}}, "runs under a condition, which run-compiled can't judge: 1 == 1"),
        ({"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}},
         "is an exit handler, which run-compiled can't run"),
        ({"parameterIterator": {"itemInput": "x"}}, "is a loop, which run-compiled can't run"),
        ({"componentRef": {"name": "other"}}, "there is no component 'other'"),
        ({"dependentTasks": ["other"]}, "waits for 'other', which is no task"),
        ({"inputs": {"artifacts": {"a": {"componentInputArtifact": "x"}}}}, "input a: comes from no task"),
        ({"inputs": {"artifacts": {"a": {"taskOutputArtifact": {"producerTask": "other"}}}}},
         "input a: there is no task 'other'"),
        ({"inputs": {"parameters": {"p": {"taskFinalStatus": {"producerTask": "x"}}}}},
         "parameter p: run-compiled can't give it (task_final_status)"),
        ({"inputs": {"parameters": {"p": {"taskOutputParameter": {"producerTask": "other"}}}}},
         "parameter p: there is no task 'other'"),
        ({"inputs": {"parameters": {"p": {"componentInputParameter": "x"}}}},
         "parameter p: the pipeline has no parameter 'x'"),
        ({"inputs": {"parameters": {"p": {"runtimeValue": {"runtimeParameter": "x"}}}}},
         "parameter p: the pipeline has no parameter 'x'"),
        ({"inputs": {"parameters": {"p": {"componentInputParameter": "x", "parameterExpressionSelector": "a[0]"}}}},
         "parameter p: is an expression, which run-compiled can't compute: a[0]"),
    ],
)  # fmt: skip
def test_a_task_that_cannot_be_run_is_refused(job: Job, change: dict[str, Any], expected: str) -> None:
    job.container("Trainer")
    job.tasks["Trainer"].update(change)
    assert refusal(job.write()) == [f"task Trainer: {expected}"]


@pytest.mark.parametrize(
    ("executor", "expected"),
    [
        ({"container": {"image": "any"}}, "has no command: what its image would start isn't known here"),
        ({"customJob": {}}, "has an executor that only the service has: custom_job"),
        ({}, "has an executor that only the service has: none"),
    ],
)
def test_an_executor_that_cannot_be_run_is_refused(job: Job, executor: dict[str, Any], expected: str) -> None:
    job.task("Trainer", executor)
    assert refusal(job.write()) == [f"task Trainer: {expected}"]


@pytest.mark.parametrize("name", ["../other", "a/b", ".."])
def test_a_name_that_leads_out_of_the_root_is_refused(job: Job, name: str) -> None:
    job.container(name, outputs={name: "tfx.Model"}, output_parameters={name: "STRING"})
    job.spec["pipelineInfo"]["name"] = name
    assert refusal(job.write()) == [
        f"pipelineInfo.name: {name!r} can't be the name of a folder",
        *[f"task {name}: {name!r} can't be the name of a file or folder"] * 3,
    ]


def test_an_argument_that_only_the_kfp_service_puts_together_is_refused(job: Job) -> None:
    argument = '{"Concat": ["--a=", "{{$.inputs.parameters[\'a\']}}"]}'
    job.task("say", {"container": {"image": "any", "command": ["echo", argument]}})
    assert refusal(job.write()) == [f"task say: has an argument that run-compiled can't put together: {argument}"]


def test_a_pipeline_inside_the_pipeline_is_refused(job: Job) -> None:
    job.container("Trainer")
    del job.spec["components"]["Trainer"]["executorLabel"]
    job.spec["components"]["Trainer"]["dag"] = {"tasks": {}}
    (problem,) = refusal(job.write())
    assert problem.startswith("task Trainer: is a pipeline of its own (exit handlers, conditions and loops")


def test_all_problems_at_once(job: Job) -> None:
    job.container("A", after=["x"])
    job.container("B", after=["y"])
    job.spec["schemaVersion"] = "3.0.0"
    job.spec["pipelineInfo"] = {}
    assert refusal(job.write()) == [
        "pipelineInfo.name: is missing",
        "schemaVersion: 2.0 and 2.1 can be run; given '3.0.0'",
        "task A: waits for 'x', which is no task",
        "task B: waits for 'y', which is no task",
    ]


def test_an_executor_that_the_schema_does_not_know(job: Job) -> None:
    job.task("A", {"containre": {}})
    (problem,) = refusal(job.write())
    assert problem.startswith("is not a valid PipelineJob: ")
    assert "containre" in problem


def test_tfx_adds_a_suffix_to_the_producer_of_a_parameter(job: Job) -> None:
    """Its own test data has it (`expected_two_step_pipeline_with_dynamic_execution_properties`)."""
    job.container("A", output_parameters={"p": "STRING"})
    source = {"taskOutputParameter": {"producerTask": "A_task", "outputParameterKey": "p"}}
    job.container("B", parameters={"p": source})
    loaded = job.load()
    assert loaded.producer("A_task") == "A"
    assert loaded.producer("B") == "B"


def test_what_tfx_itself_compiled_is_understood(tmp_path: Path) -> None:
    """TFX's own test data, but for the one condition in it."""
    tfx = importlib.util.find_spec("tfx")
    assert tfx is not None and tfx.origin is not None
    data = Path(tfx.origin).parent / "orchestration" / "kubeflow" / "v2" / "testdata"
    content = json.loads((data / "expected_full_taxi_pipeline_job.json").read_text())
    path = tmp_path / "taxi.json"
    path.write_text(json.dumps(content))
    (problem,) = refusal(path)
    assert problem.startswith("task Pusher: runs under a condition")
    del content["pipelineSpec"]["root"]["dag"]["tasks"]["Pusher"]["triggerPolicy"]
    path.write_text(json.dumps(content))
    tasks = load_job(path).tasks
    assert len(tasks) == len(content["pipelineSpec"]["root"]["dag"]["tasks"])
    assert tasks["CsvExampleGen"].executor.container.lifecycle.pre_cache_check.command[0] == "python"
