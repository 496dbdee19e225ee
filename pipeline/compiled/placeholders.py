"""`{{$…}}` in commands, constants and queries, as the service fills them in."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.executor_input import as_json
from trainer_module.errors import UserError

_PLACEHOLDER = re.compile(r"\{\{\$(.*?)\}\}")
_KEY = r"\['(?P<key>[^']*)'\]"
_INPUT_PARAMETER = re.compile(rf"\.inputs\.parameters{_KEY}")
_OUTPUT_PARAMETER = re.compile(rf"\.outputs\.parameters{_KEY}\.output_file")
_ARTIFACT = re.compile(
    rf"\.(?P<side>inputs|outputs)\.artifacts{_KEY}\.(?:(?P<field>uri|path|name|value)|"
    r"(?:metadata|properties|custom_properties)\['(?P<property>[^']*)'\])"
)


class NotThere(UserError):
    """A placeholder names an artifact or a property that this step was not given."""


class Placeholders:
    """What placeholders stand for in one task of one run.

    Args:
        message: The task's input; its JSON is `{{$}}`.
        job: Names such as `pipeline_job_name`, and what they stand for.

    Example:
        >>> message = pb.ExecutorInput()
        >>> message.inputs.parameter_values["steps"].number_value = 3
        >>> Placeholders(message, {}).fill("--steps={{$.inputs.parameters['steps']}}")
        '--steps=3'
    """

    def __init__(self, message: pb.ExecutorInput, job: Mapping[str, str]) -> None:
        self._message = message
        self._job = job

    def fill(self, text: str) -> str:
        """The text with each placeholder replaced, once: what comes in is not looked at again.

        Raises:
            NotThere: It names what the step doesn't have.
            UserError: It is of a kind that run-compiled doesn't know.
        """
        return _PLACEHOLDER.sub(lambda match: self._value(match[0], match[1]), text)

    def fill_value(self, value: Any) -> Any:
        """A constant of the pipeline: a text is filled, anything else is as it is."""
        return self.fill(value) if isinstance(value, str) else value

    def _value(self, placeholder: str, path: str) -> str:
        if path == "":
            return as_json(self._message)
        if path == ".outputs.output_file":
            return str(self._message.outputs.output_file)
        if path.removeprefix(".") in self._job:
            return self._job[path.removeprefix(".")]
        if match := _INPUT_PARAMETER.fullmatch(path):
            values = self._message.inputs.parameter_values
            if match["key"] not in values:
                raise NotThere(f"{placeholder}: the step has no such parameter")
            return _text(json_format.MessageToDict(values[match["key"]]))
        if match := _OUTPUT_PARAMETER.fullmatch(path):
            parameters = self._message.outputs.parameters
            if match["key"] not in parameters:
                raise NotThere(f"{placeholder}: the step puts out no such parameter")
            return str(parameters[match["key"]].output_file)
        if match := _ARTIFACT.fullmatch(path):
            return self._artifact_value(placeholder, match)
        raise UserError(f"{placeholder}: run-compiled doesn't know this placeholder")

    def _artifact_value(self, placeholder: str, match: "re.Match[str]") -> str:
        side = getattr(self._message, match["side"]).artifacts
        if match["key"] not in side or not side[match["key"]].artifacts:
            raise NotThere(f"{placeholder}: the step has no such artifact")
        artifact = side[match["key"]].artifacts[0]
        if match["field"] == "value":
            return _content(placeholder, artifact.uri)
        if match["field"]:
            return str(artifact.name if match["field"] == "name" else artifact.uri)
        metadata = json_format.MessageToDict(artifact.metadata)
        if match["property"] not in metadata:
            raise NotThere(f"{placeholder}: the artifact {artifact.name} has no such property")
        return _text(metadata[match["property"]])


def _content(placeholder: str, uri: str) -> str:
    try:
        return Path(uri).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{placeholder}: {uri} holds no text: {error}") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_with_integers(value))


def _with_integers(value: Any) -> Any:
    """JSON's whole numbers without the `.0` that Python would write."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_with_integers(each) for each in value]
    if isinstance(value, dict):
        return {key: _with_integers(each) for key, each in value.items()}
    return value
