"""Mends what ML Metadata does wrong in PostgreSQL, at the border between its Python and its C++.

- Texts with backslashes: it cuts the first and the last character off what libpq's PQescapeLiteral returns, taking both
  for quotes. Of such a text that function returns ` E'…'`, so that what is left is no SQL: `syntax error at or near`.
  Evaluator's `eval_config`, which holds JSON inside JSON, is one.
- Order: it asks for none, and gets what was changed last at the end. TFX takes it for that of the ids, as SQLite has,
  and gives a cached Transform's graph out as its examples.
"""

from functools import wraps
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from ml_metadata import MetadataStore

_BACKSLASH = "\\"
_STAND_IN = "\ue05c"
"""Of Unicode's private use area: no text has it."""


def mend_postgresql() -> None:
    """Makes every store in PostgreSQL, of this process, keep backslashes, and answer in the order of ids.

    For a backslash another character is written, and read back. TFX opens stores of its own: so it is in the class.
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
            # With options the caller may have asked for an order.
            if "options" not in {field.name for field, _ in request.ListFields()}:
                sort_by_id(response)

    MetadataStore._pywrap_cc_call = call


def sort_by_id(response: Message) -> None:
    """Puts what an answer lists of artifacts, executions or contexts into the order of their ids."""
    for field, value in response.ListFields():
        if field.name in ("artifacts", "executions", "contexts"):
            value.sort(key=lambda each: each.id)


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
