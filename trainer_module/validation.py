"""Pydantic's errors in the words of the person who wrote the config."""

import difflib
import re
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails


def problem(path: tuple[str | int, ...], message: str, given: Any) -> InitErrorDetails:
    """A problem that a validator found itself, for `ValidationError.from_exception_data`.

    Args:
        path: From the section that is being validated.
        message: What comes behind the path.
        given: What was found there.
    """
    return InitErrorDetails(type="value_error", loc=path, input=given, ctx={"error": ValueError(message)})


def describe_validation_error(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    """One line per problem: where, what is wrong or allowed, what was given.

    A validator that finds several problems in one key raises a ValueError with one line for each.

    Args:
        error: What pydantic raised for `model`.
        prefix: Put before each key's path.
    """
    lines = []
    for problem in error.errors(include_url=False):
        path = _dotted(prefix, problem["loc"])
        lines += [f"{path}: {message}" for message in _messages(problem, model)]
    return lines


def _messages(problem: Any, model: type[BaseModel]) -> list[str]:
    location: tuple[int | str, ...] = problem["loc"]
    match problem["type"]:
        case "extra_forbidden":
            return [f"is not a known key{_did_you_mean(str(location[-1]), _keys_beside(model, location))}"]
        case "missing":
            return ["is missing"]
        case "value_error":
            return str(problem["ctx"]["error"]).splitlines()
        case "model_type":
            return [f"should be a table of keys and values; given {problem['input']!r}"]
        case _:
            # Pydantic names the type first, as in "Input should be …" and "String should match …".
            reason = re.sub(r"^\w+ (?=should )", "", problem["msg"])
            return [f"{reason}; given {problem['input']!r}"]


def _dotted(prefix: str, location: Iterable[int | str]) -> str:
    path = prefix
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _keys_beside(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys allowed where an unknown one was found."""
    inside: Any = model
    for part in location[:-1]:
        inside = _type_behind(inside, part)
    table = _model_in(inside)
    return [field.alias or name for name, field in table.model_fields.items()] if table else []


def _type_behind(annotation: Any, part: int | str) -> Any:
    """The type of a model's field, or of what a list or dict holds."""
    table = _model_in(annotation)
    if table is None:
        return next(reversed(get_args(annotation)), None)
    fields = {field.alias or name: field.annotation for name, field in table.model_fields.items()}
    return fields.get(str(part))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that `annotation` is, or that it is besides None."""
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, BaseModel):
        return annotation
    members = get_args(annotation)
    return _model_in(members[0]) if len(members) == 2 and members[1] is type(None) else None


def _did_you_mean(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known keys: {', '.join(sorted(known))}" if known else ""
