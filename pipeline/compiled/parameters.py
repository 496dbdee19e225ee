"""The values of parameters, typed as the spec says."""

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.job import CompiledJob, legacy_value
from trainer_module.errors import UserError

# Doubles carry integers up to this one exactly, and JSON's numbers are doubles.
_MOST_EXACT = 2**53 - 1

_LEGACY = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE", "STRING": "STRING"}
_WORDS = {
    "NUMBER_INTEGER": "an integer",
    "NUMBER_DOUBLE": "a number",
    "STRING": "a text",
    "BOOLEAN": "true or false",
    "LIST": "a JSON list",
    "STRUCT": "a JSON object",
}


def runtime_parameters(job: CompiledJob, overrides: Sequence[str]) -> dict[str, Any]:
    """The value of each of the pipeline's parameters: an override's, else the job's, else the default.

    Args:
        job: Says which there are.
        overrides: `NAME=VALUE`; a list's or an object's value is JSON. The last of a name holds.

    Raises:
        UserError: A name is unknown, a value is of another type, or one is missing: all of it at once.
    """
    problems: list[str] = []
    values = {
        name: json_format.MessageToDict(spec.default_value)
        for name, spec in job.parameters.items()
        if spec.HasField("default_value")
    } | dict(job.given)
    texts: dict[str, str] = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            problems.append(f"--param {override}: write NAME=VALUE")
        else:
            texts[name] = text
    problems += [f"--param {name}: {_unknown(job, name)}" for name in texts if name not in job.parameters]
    problems += [f"runtimeConfig.{name}: {_unknown(job, name)}" for name in job.given if name not in job.parameters]
    result: dict[str, Any] = {}
    for name, spec in sorted(job.parameters.items()):
        kind = parameter_kind(spec)
        try:
            if name in texts:
                result[name] = _from_text(kind, texts[name])
            elif name in values:
                result[name] = typed_value(kind, values[name])
            elif not spec.is_optional:
                problems.append(f"parameter {name}: is missing; give --param {name}=VALUE ({_WORDS.get(kind, kind)})")
        except ValueError as error:
            origin = f"--param {name}" if name in texts else f"parameter {name}"
            problems.append(f"{origin}: {error}")
    if problems:
        raise UserError(problems)
    return result


def parameter_kind(spec: Any) -> str:
    """A parameter's type by its name in schema 2.1, whichever schema the spec is written in."""
    if spec.parameter_type:
        return str(pb.ParameterType.ParameterTypeEnum.Name(spec.parameter_type))
    return _LEGACY.get(pb.PrimitiveType.PrimitiveTypeEnum.Name(spec.type), "STRING")


def constant(value: pb.ValueOrRuntimeParameter) -> Any:
    """The value that was fixed when the pipeline was compiled."""
    if value.WhichOneof("value") == "constant_value":
        return legacy_value(value.constant_value)
    return json_format.MessageToDict(value.constant)


def typed_value(kind: str, value: Any) -> Any:
    """A value out of JSON, as the type that it should have; JSON itself doesn't tell 3 from 3.0.

    Raises:
        ValueError: It has another type.
    """
    if kind == "NUMBER_INTEGER" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if kind == "NUMBER_DOUBLE" and type(value) is int:
        value = float(value)
    if type(value) is not _TYPES.get(kind, type(value)):
        raise ValueError(f"should be {_WORDS[kind]}; given {json.dumps(value)}")
    if isinstance(value, int) and abs(value) > _MOST_EXACT:
        raise ValueError(f"should be from -{_MOST_EXACT} to {_MOST_EXACT}; given {value}")
    return value


_TYPES: Mapping[str, type] = {
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "STRING": str,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}


def from_file(kind: str, text: str) -> Any:
    """The value of an output parameter that a container wrote into a file.

    Raises:
        ValueError: It has another type.
    """
    return _from_text(kind, text if kind == "STRING" else text.strip())


def _from_text(kind: str, text: str) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "NUMBER_INTEGER": int,
        "NUMBER_DOUBLE": float,
        "BOOLEAN": _boolean,
        "LIST": json.loads,
        "STRUCT": json.loads,
    }
    try:
        value = readers.get(kind, str)(text)
        json.dumps(value, allow_nan=False)  # neither JSON nor the service knows of infinity
        return typed_value(kind, value)
    except ValueError as error:
        if str(error).startswith("should be from"):
            raise
        raise ValueError(f"should be {_WORDS[kind]}; given {text!r}") from None


def _boolean(text: str) -> bool:
    words = {"true": True, "false": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _unknown(job: CompiledJob, name: str) -> str:
    near = difflib.get_close_matches(name, job.parameters, n=1)
    if near:
        return f"the pipeline has no such parameter; did you mean {near[0]!r}?"
    return "the pipeline has no such parameter; " + (
        f"it has {', '.join(sorted(job.parameters))}" if job.parameters else "it has none at all"
    )
