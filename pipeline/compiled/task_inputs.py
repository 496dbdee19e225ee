"""Where a task's inputs come from."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.artifact_store import Artifact, Run
from pipeline.compiled.executor_input import make_inputs
from pipeline.compiled.job import CompiledJob, Task
from pipeline.compiled.parameters import constant, parameter_kind, typed_value
from pipeline.compiled.placeholders import Placeholders
from pipeline.compiled.unsupported import pipeline_parameter
from trainer_module.errors import UserError


def input_artifacts(task: Task, run: Run) -> dict[str, list[Artifact]]:
    """The artifacts that a task is given, by key; an empty list where a resolver found nothing.

    Raises:
        UserError: The task that should have put one out doesn't.
    """
    inputs = {}
    for key, source in sorted(task.spec.inputs.artifacts.items()):
        producer = source.task_output_artifact
        outputs = run.step(producer.producer_task).outputs
        if producer.output_artifact_key not in outputs:
            raise UserError(
                f"task {task.name}: input {key}: {producer.producer_task} puts out no {producer.output_artifact_key!r}"
            )
        inputs[key] = outputs[producer.output_artifact_key]
    return inputs


def input_parameters(
    job: CompiledJob, task: Task, run: Run, inputs: Mapping[str, Sequence[Artifact]], names: Mapping[str, str]
) -> dict[str, Any]:
    """The values that a task is given, by key, of the types that its component says.

    Args:
        job: The task's.
        task: Says where each comes from.
        run: Holds the pipeline's parameters, and what earlier steps put out.
        inputs: The task's artifacts: a constant may refer to them, and to the other parameters.
        names: What else constants may refer to, see `Placeholders`.

    Raises:
        UserError: A value has another type, or the task that should have put it out doesn't.
    """
    definitions = task.component.input_definitions.parameters
    values = {
        key: json_format.MessageToDict(definition.default_value)
        for key, definition in definitions.items()
        if definition.HasField("default_value")
    }
    constants = {}
    for key, source in task.spec.inputs.parameters.items():
        if source.WhichOneof("kind") == "task_output_parameter":
            values[key] = _output_parameter(job, task, run, source.task_output_parameter)
        elif name := pipeline_parameter(source):
            if name in run.parameters:  # an optional one may have no value
                values[key] = run.parameters[name]
        else:
            constants[key] = constant(source.runtime_value)
    placeholders = Placeholders(make_inputs(inputs, values), names)
    values |= {key: placeholders.fill_value(value) for key, value in constants.items()}
    return {key: _typed(task, key, value) for key, value in sorted(values.items())}


def _output_parameter(
    job: CompiledJob,
    task: Task,
    run: Run,
    source: pb.TaskInputsSpec.InputParameterSpec.TaskOutputParameterSpec,
) -> Any:
    outputs = run.step(job.producer(source.producer_task)).output_parameters
    if source.output_parameter_key not in outputs:
        raise UserError(
            f"task {task.name}: {source.producer_task} puts out no parameter {source.output_parameter_key!r}"
        )
    return outputs[source.output_parameter_key]


def _typed(task: Task, key: str, value: Any) -> Any:
    definitions = task.component.input_definitions.parameters
    if key not in definitions:
        return value
    try:
        return typed_value(parameter_kind(definitions[key]), value)
    except ValueError as error:
        raise UserError(f"task {task.name}: parameter {key}: {error}") from None
