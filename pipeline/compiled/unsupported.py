"""What a compiled pipeline may hold that can't be run on this machine."""

from collections.abc import Mapping
from typing import Any

from kfp.pipeline_spec import pipeline_spec_pb2 as pb

# TFX names the producer of a parameter so; the task itself has no such suffix.
PRODUCER_SUFFIX = "_task"

# How the kfp compiler writes what kfp.dsl calls ConcatPlaceholder and IfPresentPlaceholder.
_KFP_EXPRESSIONS = ('{"Concat"', '{"IfPresent"')


def is_folder_name(name: str) -> bool:
    """Whether a folder can be called like that; artifacts are kept by the names that the pipeline gives them."""
    return "/" not in name and "\0" not in name and name not in ("", ".", "..")


def unsupported(
    name: str,
    task: pb.PipelineTaskSpec,
    component: pb.ComponentSpec | None,
    executors: Mapping[str, pb.PipelineDeploymentConfig.ExecutorSpec],
    root: pb.ComponentSpec,
) -> list[str]:
    """What keeps a task from being run here; nothing, for most.

    Args:
        name: The task's.
        task: See `PipelineTaskSpec`.
        component: The one that it refers to; None when there is none.
        executors: All of the pipeline's, by label.
        root: Holds all tasks and the pipeline's parameters.
    """
    if component is None:
        return [f"there is no component {task.component_ref.name!r}"]
    reasons = [*_unsupported_control(task), *_unsupported_inputs(task, root)]
    outputs = component.output_definitions
    reasons += [
        f"{each!r} can't be the name of a file or folder"
        for each in (name, *sorted(outputs.artifacts), *sorted(outputs.parameters))
        if not is_folder_name(each)
    ]
    if component.WhichOneof("implementation") == "dag":
        reasons.append(
            "is a pipeline of its own (exit handlers, conditions and loops become one), which run-compiled can't run"
        )
    elif component.executor_label not in executors:
        reasons.append(f"there is no executor {component.executor_label!r}")
    elif (kind := executors[component.executor_label].WhichOneof("spec")) not in ("container", "importer", "resolver"):
        reasons.append(f"has an executor that only the service has: {kind or 'none'}")
    elif kind == "container" and not _command(executors[component.executor_label].container):
        reasons.append("has no command: what its image would start isn't known here")
    elif kind == "container":
        reasons += [
            f"has an argument that run-compiled can't put together: {part}"
            for part in _command(executors[component.executor_label].container)
            if part.startswith(_KFP_EXPRESSIONS)
        ]
    return reasons


def pipeline_parameter(source: pb.TaskInputsSpec.InputParameterSpec) -> str:
    """The name of the pipeline's parameter that a task's is taken from, in whichever schema; empty when from none."""
    return str(source.component_input_parameter or source.runtime_value.runtime_parameter)


def _command(container: Any) -> list[str]:
    return [*container.command, *container.args]


def _unsupported_control(task: pb.PipelineTaskSpec) -> list[str]:
    reasons = []
    if task.trigger_policy.condition:
        reasons.append(f"runs under a condition, which run-compiled can't judge: {task.trigger_policy.condition}")
    if task.trigger_policy.strategy == pb.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED:
        reasons.append("is an exit handler, which run-compiled can't run")
    if task.WhichOneof("iterator"):
        reasons.append("is a loop, which run-compiled can't run")
    return reasons


def _unsupported_inputs(task: pb.PipelineTaskSpec, root: pb.ComponentSpec) -> list[str]:
    names = root.dag.tasks
    reasons = []
    for key, artifact in sorted(task.inputs.artifacts.items()):
        if artifact.WhichOneof("kind") != "task_output_artifact":
            reasons.append(f"input {key}: comes from no task")
        elif artifact.task_output_artifact.producer_task not in names:
            reasons.append(f"input {key}: there is no task {artifact.task_output_artifact.producer_task!r}")
    for key, parameter in sorted(task.inputs.parameters.items()):
        kind = parameter.WhichOneof("kind")
        if parameter.parameter_expression_selector:
            reasons.append(
                f"parameter {key}: is an expression, which run-compiled can't compute: "
                f"{parameter.parameter_expression_selector}"
            )
        elif kind == "task_output_parameter":
            producer = parameter.task_output_parameter.producer_task
            if producer not in names and producer.removesuffix(PRODUCER_SUFFIX) not in names:
                reasons.append(f"parameter {key}: there is no task {producer!r}")
        elif kind not in ("runtime_value", "component_input_parameter"):
            reasons.append(f"parameter {key}: run-compiled can't give it ({kind or 'no source'})")
        elif (name := pipeline_parameter(parameter)) and name not in root.input_definitions.parameters:
            reasons.append(f"parameter {key}: the pipeline has no parameter {name!r}")
    reasons += [f"waits for {other!r}, which is no task" for other in task.dependent_tasks if other not in names]
    return reasons
