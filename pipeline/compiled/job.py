"""A compiled pipeline, read from a file and checked for what can't be run here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.unsupported import PRODUCER_SUFFIX, is_folder_name, unsupported
from trainer_module.errors import UserError


@dataclass(frozen=True)
class Task:
    """One step of the pipeline.

    Attributes:
        name: Unique in the pipeline.
        spec: Where its inputs come from.
        component: What goes in and comes out.
        executor: What is done: a container, an importer or a resolver.
    """

    name: str
    spec: pb.PipelineTaskSpec
    component: pb.ComponentSpec
    executor: pb.PipelineDeploymentConfig.ExecutorSpec

    @property
    def kind(self) -> str:
        """`container`, `importer` or `resolver`."""
        return str(self.executor.WhichOneof("spec"))


@dataclass(frozen=True)
class CompiledJob:
    """A PipelineJob, or a PipelineSpec without a job around it.

    Attributes:
        name: The pipeline's.
        tasks: By name.
        parameters: The runtime parameters' definitions, by name.
        given: Values of runtime parameters that the job brings along.
        root: Where the job wants its artifacts; empty when it doesn't say.
        is_legacy: Schema 2.0: parameters are typed values instead of JSON.
    """

    name: str
    tasks: Mapping[str, Task]
    parameters: Mapping[str, pb.ComponentInputsSpec.ParameterSpec]
    given: Mapping[str, Any]
    root: str
    is_legacy: bool

    def producer(self, name: str) -> str:
        """The task that a producer's name means; the name itself when there is none."""
        stem = name.removesuffix(PRODUCER_SUFFIX)
        return stem if name not in self.tasks and stem in self.tasks else name


def load_job(path: Path) -> CompiledJob:
    """Reads a job as TFX's KubeflowV2DagRunner or the kfp compiler writes it.

    Args:
        path: JSON, or YAML when its name ends like that.

    Raises:
        UserError: There is no such file, it isn't a pipeline job, or it needs what can't be run here.

    Example:
        >>> load_job(Path("pipeline.json")).name  # doctest: +SKIP
        'quickstart'
    """
    content = _read(path)
    spec, deployment, config = _parse(path, content)
    return _checked(path, spec, deployment, config)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; `permafrost compile` writes one")
    try:
        text = path.read_text(encoding="utf-8")
        # The kfp compiler may append a second YAML document, with settings for platforms.
        is_yaml = path.suffix in (".yaml", ".yml")
        content = next(iter(yaml.safe_load_all(text)), None) if is_yaml else json.loads(text)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: is not JSON: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not {"pipelineSpec", "pipelineInfo"} & content.keys():
        raise UserError(
            f"{path}: is not a compiled pipeline: it has neither `pipelineSpec` (a PipelineJob) nor `pipelineInfo` "
            "(a PipelineSpec); `permafrost compile` writes one"
        )
    return content


def _parse(
    path: Path, content: dict[str, Any]
) -> tuple[pb.PipelineSpec, pb.PipelineDeploymentConfig, pb.PipelineJob.RuntimeConfig]:
    job = pb.PipelineJob()
    spec = pb.PipelineSpec()
    deployment = pb.PipelineDeploymentConfig()
    try:
        if "pipelineSpec" in content:
            json_format.ParseDict(content, job)
            content = json_format.MessageToDict(job.pipeline_spec)
        json_format.ParseDict(content, spec)
        json_format.ParseDict(json_format.MessageToDict(spec.deployment_spec), deployment)
    except json_format.ParseError as error:
        raise UserError(f"{path}: is not a valid PipelineJob: {error}") from None
    return spec, deployment, job.runtime_config


def _checked(
    path: Path,
    spec: pb.PipelineSpec,
    deployment: pb.PipelineDeploymentConfig,
    config: pb.PipelineJob.RuntimeConfig,
) -> CompiledJob:
    problems: list[str] = []
    if not spec.pipeline_info.name:
        problems.append("pipelineInfo.name: is missing")
    elif not is_folder_name(spec.pipeline_info.name):
        problems.append(f"pipelineInfo.name: {spec.pipeline_info.name!r} can't be the name of a folder")
    if spec.schema_version and not spec.schema_version.startswith("2."):
        problems.append(f"schemaVersion: 2.0 and 2.1 can be run; given {spec.schema_version!r}")
    if spec.root.WhichOneof("implementation") != "dag":
        problems.append("root: has no dag")
    if spec.root.input_definitions.artifacts:
        problems.append("root: takes artifacts from whoever calls it, which can't be given here")
    executors = dict(deployment.executors)
    tasks: dict[str, Task] = {}
    for name, task in sorted(spec.root.dag.tasks.items()):
        component = spec.components.get(task.component_ref.name)
        reasons = unsupported(name, task, component, executors, spec.root)
        problems += [f"task {name}: {reason}" for reason in reasons]
        if component is not None and not reasons:
            tasks[name] = Task(name, task, component, executors[component.executor_label])
    if problems:
        raise UserError([f"{path}: {problem}" for problem in problems])
    given = {name: json_format.MessageToDict(value) for name, value in config.parameter_values.items()}
    given |= {name: legacy_value(value) for name, value in config.parameters.items()}
    return CompiledJob(
        name=spec.pipeline_info.name,
        tasks=tasks,
        parameters=dict(spec.root.input_definitions.parameters),
        given=given,
        root=config.gcs_output_directory or spec.default_pipeline_root,
        is_legacy=spec.schema_version.startswith("2.0"),
    )


def legacy_value(value: pb.Value) -> Any:
    """What schema 2.0 calls a value, as Python's."""
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
