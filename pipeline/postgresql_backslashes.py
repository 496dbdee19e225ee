"""Lets ML Metadata keep texts with backslashes in PostgreSQL, which it can't by itself.

It cuts the first and the last character off what libpq's PQescapeLiteral returns, taking both for quotes. Of a text
with a backslash in it that function returns ` E'…'`, so that what is left is no SQL: `syntax error at or near`.
Evaluator's `eval_config`, which holds JSON inside JSON, is such a text.
"""

from functools import wraps
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from ml_metadata import MetadataStore

_BACKSLASH = "\\"
_STAND_IN = "\ue05c"
"""Of Unicode's private use area: no text has it."""


def keep_backslashes() -> None:
    """Makes every store in PostgreSQL, of this process, write another character for a backslash, and read it back.

    TFX opens stores of its own, so it has to be in the class.
    """
    original = MetadataStore._pywrap_cc_call
    if hasattr(original, "__wrapped__"):
        return

    @wraps(original)
    def call(store: MetadataStore, method: Any, request: Message, response: Message) -> None:
        in_postgresql = store._config.HasField("postgresql")
        if in_postgresql:
            replace_in(request, _BACKSLASH, _STAND_IN)
        original(store, method, request, response)
        if in_postgresql:
            replace_in(response, _STAND_IN, _BACKSLASH)

    MetadataStore._pywrap_cc_call = call


def replace_in(message: Message, old: str, new: str) -> None:
    """Replaces a character in all texts of a message, at any depth; the keys of maps stay as they are."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            if isinstance(value, str):
                setattr(message, field.name, value.replace(old, new))
            else:
                value[:] = [each.replace(old, new) for each in value]
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for each in _messages(value):
                replace_in(each, old, new)


def _messages(value: Any) -> list[Message]:
    """The messages in a field: its one, those of a list, or the values of a map where they are any."""
    if isinstance(value, Message):
        return [value]
    return [each for each in (value.values() if hasattr(value, "values") else value) if isinstance(each, Message)]
