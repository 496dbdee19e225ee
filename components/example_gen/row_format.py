"""What the user's files look like: the part of `[data]` that ExampleGen needs."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error

ColumnName = Annotated[str, Field(min_length=1)]


class RowFormat(BaseModel):
    """How rows are stored, and which columns matter.

    Attributes:
        format: `csv` (any delimited text) or `tfrecord` (of tf.Examples).
        text: One column, or two for sentence pairs.
        label: The column to predict.
        columns: Names of the columns, only when the files have no header row.
        delimiter: The one character between two fields.
        quoting: `minimal`: fields may be quoted, as RFC 4180 says; `none`: quotes are ordinary characters.
        encoding: A text encoding that Python knows; a byte order mark is dropped.
        task: `classification`, or `regression`, whose labels must be finite numbers.
        on_bad_rows: What happens when rows can't be used: `drop` (with a warning) or `fail`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["csv", "tfrecord"] = "csv"
    # Before `text` and `label`, so that their validators can look at it.
    columns: Annotated[list[ColumnName], Field(min_length=1)] | None = None
    text: Annotated[list[ColumnName], Field(min_length=1, max_length=2)]
    label: ColumnName
    delimiter: str = ","
    quoting: Literal["minimal", "none"] = "minimal"
    encoding: str = "utf-8"
    task: Literal["classification", "regression"] = "classification"
    on_bad_rows: Literal["drop", "fail"] = "drop"

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, columns: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if columns is not None:
            if info.data.get("format") == "tfrecord":
                raise ValueError("tf.Examples name their own columns; remove this key")
            if repeated := repeated_names(columns):
                raise ValueError(f"names a column twice: {quoted(repeated)}")
        return columns

    @field_validator("text")
    @classmethod
    def _check_text(cls, text: list[str], info: ValidationInfo) -> list[str]:
        if repeated := repeated_names(text):
            raise ValueError(f"names a column twice: {quoted(repeated)}")
        for name in text:
            _check_listed(name, info)
        return text

    @field_validator("label")
    @classmethod
    def _check_label(cls, label: str, info: ValidationInfo) -> str:
        if label in info.data.get("text", []):
            raise ValueError(f"{label!r} is a text column too; the model would read its own answer")
        _check_listed(label, info)
        return label

    @field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, delimiter: str) -> str:
        if len(delimiter) != 1 or delimiter in '"\r\n\0':
            raise ValueError(f"must be one character, not a quote or a line break; given {delimiter!r}")
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except (LookupError, ValueError):
            raise ValueError(f'{encoding!r} is no text encoding; use e.g. "utf-8" or "latin-1"') from None
        return encoding

    @property
    def needed(self) -> list[str]:
        """The columns without which a row is of no use."""
        return [*self.text, self.label]

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "RowFormat":
        """Reads what `model_dump(mode="json")` wrote, or a user's keys.

        Raises:
            UserError: Names every problem by its path under `data`.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise UserError(describe_validation_error(error, cls, prefix="data")) from None


def missing_columns(rows: RowFormat, existing: Sequence[str]) -> list[str]:
    """Says of each column that `rows` needs and that isn't among `existing` what is there instead."""
    keys = [(name, "data.text") for name in rows.text] + [(rows.label, "data.label")]
    shown = quoted(existing[:50]) + (", …" if len(existing) > 50 else "")
    problems = []
    for name, key in keys:
        if name not in existing:
            near = difflib.get_close_matches(name, existing, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"has no column {name!r} ({key}); its columns are: {shown}{hint}")
    return problems


def quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def repeated_names(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _check_listed(name: str, info: ValidationInfo) -> None:
    columns = info.data.get("columns")
    if columns is not None and name not in columns:
        raise ValueError(f"{name!r} is not one of data.columns: {quoted(columns)}")
