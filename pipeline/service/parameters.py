"""The parameters that a compiled pipeline takes, and the values given for them by `--param NAME=VALUE`."""

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer_module.errors import UserError

# JSON's numbers are doubles, which carry whole numbers up to this one exactly.
_MOST_EXACT = 2**53 - 1

ParameterValue = str | int | float | bool | list[Any] | dict[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A parameter as the pipeline's own spec defines it.

    Attributes:
        name: As in `--param NAME=VALUE`.
        type: The spec's word for it, such as `NUMBER_INTEGER`.
        required: Whether it has neither a default nor leave to be absent.
    """

    name: str
    type: str
    required: bool


def read_parameters(spec: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters that a pipeline spec defines, by name.

    Args:
        spec: The spec as JSON; of schema 2.1, or 2.0, which says `type` for `parameterType`.
    """
    definitions = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    return {
        name: Parameter(
            name,
            str(definition.get("parameterType") or definition.get("type")),
            "defaultValue" not in definition and not definition.get("isOptional", False),
        )
        for name, definition in definitions.items()
    }


def parse_values(
    given: Sequence[str], parameters: Mapping[str, Parameter], already: Mapping[str, Any] = {}
) -> dict[str, ParameterValue]:
    """Values of the types that the pipeline wants, out of text.

    Args:
        given: `name=value`, as typed. A text is taken as it is, a list or a struct is JSON.
        parameters: What the pipeline takes.
        already: Values that come with the compiled pipeline, so that they needn't be given.

    Raises:
        UserError: A name that the pipeline doesn't have, a value of another type, a value that is missing: all at once.

    Example:
        >>> parse_values(["train_steps=20"], {"train_steps": Parameter("train_steps", "NUMBER_INTEGER", False)})
        {'train_steps': 20}
    """
    values: dict[str, ParameterValue] = {}
    problems = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            problems.append(f"--param {text}: has no '='; write NAME=VALUE")
        elif name not in parameters:
            problems.append(f"--param {name}: the pipeline has no such parameter{_did_you_mean(name, parameters)}")
        elif name in values:
            problems.append(f"--param {name}: is given twice")
        else:
            try:
                values[name] = _READERS.get(parameters[name].type, str)(value)
            except ValueError as error:
                problems.append(f"--param {name}: {error}; given {value!r}")
    problems += [
        f"--param {name}: is missing: the pipeline has no default for it"
        for name, parameter in parameters.items()
        if parameter.required and name not in already and not any(text.startswith(f"{name}=") for text in given)
    ]
    if problems:
        raise UserError(problems)
    return values


def _did_you_mean(name: str, parameters: Mapping[str, Parameter]) -> str:
    near = difflib.get_close_matches(name, parameters, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; its parameters: {', '.join(sorted(parameters))}" if parameters else "; it takes none"


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text.strip()):
        raise ValueError("should be a whole number")
    if abs(int(text)) > _MOST_EXACT:
        raise ValueError(f"should be from -{_MOST_EXACT} to {_MOST_EXACT}")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("should be a number") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("should be a finite number")
    return value


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("should be true or false")
    return text == "true"


def _json_of(kind: type, name: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ValueError(f"should be {name} in JSON ({error})") from None
        if not isinstance(value, kind):
            raise ValueError(f"should be {name} in JSON")
        return value

    return read


# INT and DOUBLE are the words of schema 2.0. Whatever is not here is text.
_READERS: Mapping[str, Callable[[str], ParameterValue]] = {
    "NUMBER_INTEGER": _integer,
    "INT": _integer,
    "NUMBER_DOUBLE": _number,
    "DOUBLE": _number,
    "BOOLEAN": _boolean,
    "LIST": _json_of(list, "a list"),
    "STRUCT": _json_of(dict, "an object"),
}
