"""Compiled jobs, small enough to be read: each container is a few lines of Python."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.job import CompiledJob, load_job

# What a container's code starts with: its input as a dict, and the way back.
PREAMBLE = """
import json, os, sys
given = json.loads(sys.argv[1])
artifacts = given.get("inputs", {}).get("artifacts", {})
parameters = given.get("inputs", {}).get("parameterValues", {})
outputs = given["outputs"].get("artifacts", {})
def uri(key): return outputs[key]["artifacts"][0]["uri"]
def tell(**content): open(given["outputs"]["outputFile"], "w").write(json.dumps(content))
"""


def artifact_type(title: str, **properties: str) -> dict[str, str]:
    """A type as TFX writes it down."""
    lines = [f"title: {title}", "type: object"]
    if properties:
        lines += ["properties:", *(f"  {name}:\n    type: {kind}" for name, kind in properties.items())]
    return {"instanceSchema": "\n".join(lines) + "\n"}


class JobBuilder:
    """A PipelineJob as TFX's KubeflowV2DagRunner writes it, step by step.

    Args:
        name: The pipeline's.
        folder: Where `load` puts the file.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.spec: dict[str, Any] = {
            "pipelineInfo": {"name": name},
            "schemaVersion": "2.1.0",
            "deploymentSpec": {"executors": {}},
            "components": {},
            "root": {"dag": {"tasks": {}}, "inputDefinitions": {"parameters": {}}},
        }
        self.content: dict[str, Any] = {
            "displayName": name,
            "pipelineSpec": self.spec,
            "runtimeConfig": {"gcsOutputDirectory": "gs://bucket/root"},
        }

    @property
    def tasks(self) -> dict[str, Any]:
        tasks: dict[str, Any] = self.spec["root"]["dag"]["tasks"]
        return tasks

    def executor(self, task: str) -> dict[str, Any]:
        executor: dict[str, Any] = self.spec["deploymentSpec"]["executors"][f"{task}_executor"]
        return executor

    def parameter(self, name: str, kind: str = "STRING", **more: Any) -> None:
        """A runtime parameter; `defaultValue=…`, `isOptional=True`."""
        self.spec["root"]["inputDefinitions"]["parameters"][name] = {"parameterType": kind, **more}

    def container(self, name: str, code: str = "", driver: str = "", **more: Any) -> None:
        """A step that runs Python code; `driver` runs before it. See `task`."""
        container: dict[str, Any] = {"image": "any", **_python(code)}
        if driver:
            container["lifecycle"] = {"preCacheCheck": _python(driver)}
        self.task(name, {"container": container}, **more)

    def resolver(self, name: str, key: str, query: str, title: str, **more: Any) -> None:
        spec = {"outputArtifactQueries": {key: {"filter": query}}}
        self.task(name, {"resolver": spec}, outputs={key: title}, **more)

    def importer(self, name: str, title: str, uri: Any, **more: Any) -> None:
        self.task(
            name,
            {"importer": {"artifactUri": uri, "typeSchema": artifact_type(title), **more}},
            outputs={"result": title},
        )

    def task(
        self,
        name: str,
        executor: dict[str, Any],
        inputs: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        outputs: Mapping[str, str] | None = None,
        output_parameters: Mapping[str, str] | None = None,
        after: Sequence[str] = (),
    ) -> None:
        """Adds a task.

        Args:
            name: The task's, and its component's.
            executor: As in the spec.
            inputs: `{"model": "Trainer.model"}`.
            parameters: `{"steps": 3}` (typed by its value) or a source as in the spec.
            outputs: Titles of their types.
            output_parameters: Their types.
            after: Tasks to wait for.
        """
        sources = {
            key: value if isinstance(value, dict) else {"runtimeValue": {"constant": value}}
            for key, value in (parameters or {}).items()
        }
        kinds = {str: "STRING", int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE", bool: "BOOLEAN"}
        typed = {
            key: {"parameterType": kinds[type(value)]}
            for key, value in (parameters or {}).items()
            if not isinstance(value, dict)
        }
        self.tasks[name] = {
            "taskInfo": {"name": name},
            "componentRef": {"name": name},
            "dependentTasks": list(after),
            "inputs": {
                "artifacts": {key: _source(source) for key, source in (inputs or {}).items()},
                "parameters": sources,
            },
        }
        self.spec["components"][name] = {
            "executorLabel": f"{name}_executor",
            "inputDefinitions": {"parameters": typed},
            "outputDefinitions": {
                "artifacts": {key: {"artifactType": artifact_type(title)} for key, title in (outputs or {}).items()},
                "parameters": {key: {"parameterType": kind} for key, kind in (output_parameters or {}).items()},
            },
        }
        self.spec["deploymentSpec"]["executors"][f"{name}_executor"] = executor

    def write(self, name: str = "pipeline.json") -> Path:
        path = self.folder / name
        path.write_text(json.dumps(self.content), encoding="utf-8")
        return path

    def load(self) -> CompiledJob:
        return load_job(self.write())


def _source(output: str) -> dict[str, dict[str, str]]:
    producer, key = output.split(".")
    return {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": key}}


def _python(code: str) -> dict[str, list[str]]:
    return {"command": ["python", "-c", PREAMBLE + code], "args": ["{{$}}"]}


@pytest.fixture
def job(tmp_path: Path) -> JobBuilder:
    """A job without tasks, to add some to."""
    return JobBuilder("mine", tmp_path)


@pytest.fixture
def make_type() -> Callable[[str], pb.ArtifactTypeSchema]:
    """`make_type("tfx.Model")`, as the spec has it."""
    return lambda title: json_format.ParseDict(artifact_type(title), pb.ArtifactTypeSchema())


class Heard:
    """What a listener hears of a run."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def started(self, component: str, run_id: str) -> None:
        self.events.append(("started", component))

    def ended(self, component: str, seconds: float) -> None:
        self.events.append(("ended", component))

    def failed(self, component: str, error: Exception) -> None:
        self.events.append(("failed", component))


@pytest.fixture
def heard() -> Heard:
    """A listener that keeps what it hears in `events`."""
    return Heard()
