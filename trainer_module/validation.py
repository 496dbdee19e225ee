"""Pydantic's errors in the words of the person who wrote the config."""

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError


def describe_validation_error(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    """One line per problem: where, what was given, what is allowed.

    Args:
        error: What pydantic raised for `model`.
        prefix: Put before each key's path.
    """
    return [_describe(problem, model, prefix) for problem in error.errors(include_url=False)]


def _describe(problem: Any, model: type[BaseModel], prefix: str) -> str:
    location: tuple[int | str, ...] = problem["loc"]
    path = _dotted(prefix, location)
    match problem["type"]:
        case "extra_forbidden":
            return f"{path}: is not a known key{_did_you_mean(str(location[-1]), _keys_beside(model, location))}"
        case "missing":
            return f"{path}: is missing"
        case "value_error":
            return f"{path}: {problem['ctx']['error']}"
        case _:
            reason = problem["msg"].removeprefix("Input ")
            return f"{path}: {reason}; given {problem['input']!r}"


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
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _did_you_mean(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known keys: {', '.join(sorted(known))}" if known else ""
