"""What a container is told (ExecutorInput), and what it tells (ExecutorOutput)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.artifact_store import Artifact, new_artifact
from pipeline.compiled.job import Task, legacy_value
from pipeline.compiled.parameters import from_file, parameter_kind, typed_value

OUTPUT_FILE = "executor_output.json"
_PARAMETERS = "output_parameters"

# They are files; TFX's other artifacts are folders.
_VALUE_TITLES = frozenset(f"tfx.{name}" for name in ("String", "Integer", "Float", "Boolean", "JsonValue"))


class BadOutput(RuntimeError):
    """A container left something that isn't what it has to leave."""


def make_outputs(task: Task, folder: Path, name_prefix: str) -> dict[str, Artifact]:
    """The artifacts that a task is to put out; makes the folders that it will write to.

    A bucket has no folders that would have to exist; here TFX's executors rely on it that they do.

    Args:
        task: Says which.
        folder: The task's own.
        name_prefix: Of the artifacts' names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outputs = {}
    for key, definition in sorted(task.component.output_definitions.artifacts.items()):
        uri = folder / key
        metadata = json_format.MessageToDict(definition.metadata)
        artifact = new_artifact(f"{name_prefix}/{key}", definition.artifact_type, str(uri), metadata)
        is_folder = "instanceSchema" in artifact.type and artifact.title not in _VALUE_TITLES
        if is_folder:
            uri.mkdir(exist_ok=True)
        outputs[key] = artifact
    if task.component.output_definitions.parameters:
        (folder / _PARAMETERS).mkdir(exist_ok=True)
    return outputs


def make_executor_input(
    task: Task,
    inputs: Mapping[str, Sequence[Artifact]],
    parameters: Mapping[str, Any],
    outputs: Mapping[str, Artifact],
    folder: Path,
    is_legacy: bool = False,
) -> pb.ExecutorInput:
    """The message that stands for `{{$}}`.

    Args:
        task: Says which parameters it puts out.
        inputs: By key; an empty list where a resolver found nothing.
        parameters: By key.
        outputs: See `make_outputs`.
        folder: The task's own.
        is_legacy: Whether to give the parameters as schema 2.0 has them, too.
    """
    message = make_inputs(inputs, parameters, is_legacy)
    for key, artifact in outputs.items():
        message.outputs.artifacts[key].artifacts.append(_runtime_artifact(artifact))
    for key in task.component.output_definitions.parameters:
        message.outputs.parameters[key].output_file = str(folder / _PARAMETERS / key)
    message.outputs.output_file = str(folder / OUTPUT_FILE)
    return message


def make_inputs(
    inputs: Mapping[str, Sequence[Artifact]], parameters: Mapping[str, Any], is_legacy: bool = False
) -> pb.ExecutorInput:
    """The message's one half, for what puts out nothing; see `make_executor_input`."""
    message = pb.ExecutorInput()
    for key, artifacts in inputs.items():
        message.inputs.artifacts[key].artifacts.extend(_runtime_artifact(artifact) for artifact in artifacts)
    for key, value in parameters.items():
        json_format.ParseDict(value, message.inputs.parameter_values[key])
        if is_legacy:
            field = {int: "int_value", float: "double_value"}.get(type(value), "string_value")
            setattr(message.inputs.parameters[key], field, value)
    return message


def as_json(message: pb.ExecutorInput) -> str:
    """The message in one line."""
    return str(json_format.MessageToJson(message, indent=None, sort_keys=True))


def read_output(message: pb.ExecutorInput) -> pb.ExecutorOutput:
    """What the container wrote into its output file; empty when it wrote none.

    Raises:
        BadOutput: The file isn't an ExecutorOutput.
    """
    output = pb.ExecutorOutput()
    file = Path(message.outputs.output_file)
    if file.is_file():
        try:
            # The service ignores fields that it doesn't know, as TFX does.
            json_format.Parse(file.read_bytes(), output, ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError) as error:
            raise BadOutput(f"{file}: is not an ExecutorOutput: {error}") from None
    return output


def updated_artifacts(outputs: Mapping[str, Artifact], output: pb.ExecutorOutput) -> dict[str, Artifact]:
    """The artifacts with what the container said of them: another place, more properties."""
    updated = dict(outputs)
    for key, artifact in outputs.items():
        if key not in output.artifacts or not output.artifacts[key].artifacts:
            continue
        told = output.artifacts[key].artifacts[0]
        properties = [*told.properties.items(), *told.custom_properties.items()]
        legacy = {name: legacy_value(value) for name, value in properties}
        metadata = artifact.metadata | legacy | json_format.MessageToDict(told.metadata)
        changed = {"uri": told.uri or artifact.uri, "metadata": dict(sorted(metadata.items()))}
        updated[key] = artifact.model_copy(update=changed)
    return updated


def output_values(output: pb.ExecutorOutput) -> dict[str, Any]:
    """The parameters of an ExecutorOutput, in whichever schema."""
    values = {key: legacy_value(value) for key, value in output.parameters.items()}
    return values | {key: json_format.MessageToDict(value) for key, value in output.parameter_values.items()}


def read_output_parameters(task: Task, message: pb.ExecutorInput, output: pb.ExecutorOutput) -> dict[str, Any]:
    """The task's output parameters: from the output file, else from a file of their own.

    Raises:
        BadOutput: A value is missing or has another type.
    """
    told = output_values(output)
    values = {}
    for key, definition in task.component.output_definitions.parameters.items():
        file = Path(message.outputs.parameters[key].output_file)
        kind = parameter_kind(definition)
        try:
            if key in told:
                values[key] = typed_value(kind, told[key])
            elif file.is_file():
                values[key] = from_file(kind, file.read_text(encoding="utf-8"))
            else:
                raise ValueError("was not written")
        except ValueError as error:
            raise BadOutput(f"output parameter {key}: {error}") from None
    return values


def _runtime_artifact(artifact: Artifact) -> pb.RuntimeArtifact:
    message = pb.RuntimeArtifact(name=artifact.name, uri=artifact.uri)
    json_format.ParseDict(artifact.type, message.type)
    if artifact.metadata:
        message.metadata.update(artifact.metadata)
    return message
