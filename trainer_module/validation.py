"""Checks of what a user wrote that no type makes, and pydantic's errors in the words of that user."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails

_LONGEST_SHOWN = 300
_DEEPEST = 50


def parse(loads: Callable[[str], Any], text: str) -> Any:
    """Reads JSON or TOML, also where the parser itself gives up.

    Args:
        loads: `json.loads` or `tomllib.loads`.
        text: The text to read.

    Raises:
        ValueError: The text can't be read: the parser's own error, or one about its nesting or a number's length.
    """
    try:
        return loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        if type(error) is ValueError:  # Python converts no more than 4,300 digits
            raise ValueError("it holds an integer of thousands of digits") from None
        raise


def parse_message(message: Any, content: bytes) -> None:
    """Reads a protocol buffer, all of it.

    Protobuf 3 takes the end of a group that never began for the end of the message, and only warns.

    Args:
        message: The message to fill.
        content: Its serialized form.

    Raises:
        DecodeError: Protobuf's; it can't be read.
        ValueError: Only a part of it can be read.
    """
    read = message.ParseFromString(content)
    if read < len(content):
        raise ValueError(f"only {read:,} of its {len(content):,} bytes can be read")


def refused_values(given: Any, path: tuple[int | str, ...] = ()) -> Iterator[str]:
    """Finds values that no key may have: text that can't be stored, integers beyond 64 bits, and very deep nesting.

    Args:
        given: Parsed TOML or JSON.
        path: The keys that lead to it.

    Yields:
        One message per value.
    """
    where = shortened(_dotted("", path))
    match given:
        case dict() | list() if len(path) >= _DEEPEST:
            yield f"{where}: is nested more than {_DEEPEST} levels deep; no key is"
        case dict():
            for key, value in given.items():
                if found := _not_text(key):
                    yield f"{where or 'the top level'}: has a key with {found}, {shortened(repr(key))}; remove it"
                yield from refused_values(value, (*path, key))
        case list():
            for index, value in enumerate(given):
                yield from refused_values(value, (*path, index))
        case str() if found := _not_text(given):
            yield f"{where}: holds {found}; remove it; given {shortened(repr(given))}"
        case int() if not -(2**63) <= given < 2**63:
            yield f"{where}: should fit into 64 bits; given {shortened(str(given))}"


def _not_text(value: str) -> str:
    """What is in a string that isn't text: NUL, or a lone surrogate such as arguments have for bytes; else empty."""
    if "\0" in value:
        return "a NUL byte"
    return "a character that isn't UTF-8" if re.search("[\ud800-\udfff]", value) else ""


def shortened(text: str) -> str:
    """The beginning of a text that is too long for a message."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}… ({len(text):,} characters)"


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
        path = shortened(_dotted(prefix, problem["loc"]))
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
            return [f"should be a table of keys and values; given {shortened(repr(problem['input']))}"]
        case _:
            # Pydantic names the type first, as in "Input should be …" and "String should match …".
            reason = re.sub(r"^\w+ (?=should )", "", problem["msg"])
            return [f"{reason}; given {shortened(repr(problem['input']))}"]


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
