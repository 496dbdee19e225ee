"""Reads runtime parameters whose value is JSON text."""

import json
from typing import Any

from trainer_module.errors import UserError
from trainer_module.validation import parse, refused_values, shortened


def read_object(key: str, text: str, example: str) -> dict[str, Any]:
    """The object that a parameter holds.

    Args:
        key: What the parameter stands for in a config, such as `train`.
        text: Its value.
        example: What to write instead, when it can't be read.

    Raises:
        UserError: It isn't the JSON text of an object.

    Example:
        >>> read_object("train", '{"epochs": 5}', '{"epochs": 3}')
        {'epochs': 5}
    """
    try:
        value = parse(json.loads, text)
    except ValueError as error:
        raise UserError(f"{key}: is not valid JSON: {error}; write an object such as {example}") from None
    if not isinstance(value, dict):
        raise UserError(f"{key}: must be a JSON object such as {example}; given {shortened(repr(text))}")
    if problems := list(refused_values(value, (key,))):
        raise UserError(problems)
    return value
