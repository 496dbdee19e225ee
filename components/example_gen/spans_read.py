"""Which spans a run read, as Examples and `rows.json` say it."""

import json
from collections.abc import Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd
from pydantic import BaseModel, ConfigDict
from tfx.types import Artifact

from components.example_gen.spans import span_name, span_names


class ReadSpan(BaseModel):
    """A span that was read, and in which version; None where versions have no place."""

    model_config = ConfigDict(frozen=True)

    span: int
    version: int | None = None


class SpansRead(BaseModel):
    """Which spans a run read: custom properties of Examples by these names, and `window` in `rows.json`.

    Attributes:
        first_span: Of the window.
        last_span: Of the window; this one was read in any case.
        spans: That were read, the oldest first.
        missing_spans: That had no files.
    """

    model_config = ConfigDict(frozen=True)

    first_span: int
    last_span: int
    spans: list[ReadSpan]
    missing_spans: list[int] = []

    def window(self, path: str) -> str:
        """The window in short; `path` says whether spans are dates."""
        first, last = (span_name(span, path) for span in (self.first_span, self.last_span))
        return first if first == last else f"{first} to {last}"

    def describe(self, path: str) -> str:
        """One line for people; `path` says whether spans are dates."""
        text = f"rows of span{'s' if self.first_span != self.last_span else ''} {self.window(path)}"
        versions = [f"{each.version} of {each.span}" for each in self.spans if each.version is not None]
        if versions:
            text += f"; version {', '.join(versions)}"
        if self.missing_spans:
            text += f"; without {span_names(self.missing_spans, path)}, which had no files"
        return text

    def record(self, examples: Artifact) -> None:
        """Writes it onto the artifact: numbers, and lists as JSON text."""
        for name, value in self.model_dump().items():
            if isinstance(value, int):
                examples.set_int_custom_property(name, value)
            else:
                examples.set_string_custom_property(name, json.dumps(value))

    @classmethod
    def of(cls, examples: mlmd.Artifact) -> "SpansRead | None":
        """What `record` wrote; None where the paths hold no spans."""
        properties: Mapping[str, Any] = examples.custom_properties
        if "spans" not in properties:
            return None
        given = {name: properties[name] for name in cls.model_fields}
        numbers = {name: value.int_value for name, value in given.items() if value.HasField("int_value")}
        lists = {name: json.loads(value.string_value) for name, value in given.items() if name not in numbers}
        return cls.model_validate(numbers | lists)
