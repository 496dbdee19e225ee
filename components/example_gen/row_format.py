"""What the user's files look like: the part of `[data]` that ExampleGen needs, and its only validation."""

import codecs
import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from trainer_module.errors import UserError
from trainer_module.settings import ColumnName
from trainer_module.validation import describe_validation_error

MOST_COLUMNS = 1000

_MOST_SHOWN = 50
_LONGEST_SHOWN = 100
# Python knows them as text encodings, but no file of rows is written in one.
_NOT_FOR_FILES = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}


class RowSettings(BaseModel):
    """How rows are stored, and which columns matter: the keys that `[data]` of a config and `RowFormat` share.

    Attributes:
        format: `csv` (any delimited text) or `tfrecord` (of tf.Examples).
        columns: Names of the columns, only for CSV files that have no header row.
        delimiter: The one character between two CSV fields; `"\\t"` for TSV.
        quoting: `minimal`: fields may be quoted, as RFC 4180 says; `none`: quotes are ordinary characters.
        encoding: A text encoding of CSV files, as Python names it; a byte order mark is dropped.
        text: One column, or two for sentence pairs.
        label: The column to predict.
        on_bad_rows: What happens when rows can't be used: `drop` (with a warning) or `fail`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # The order matters: a check of one key sees only the keys above it.
    format: Literal["csv", "tfrecord"] = "csv"
    columns: Annotated[list[ColumnName], Field(min_length=1)] | None = None
    delimiter: str = ","
    quoting: Literal["minimal", "none"] = "minimal"
    encoding: str = "utf-8"
    text: Annotated[list[ColumnName], Field(min_length=1, max_length=2)]
    label: ColumnName
    on_bad_rows: Literal["drop", "fail"] = "drop"

    @field_validator("*")
    @classmethod
    def _refuse_what_is_no_text(cls, value: Any) -> Any:
        # NUL ends a path. Lone surrogates, which bytes that aren't UTF-8 become in an argument, can't be stored.
        for text in _texts(value):
            if found := next((each for each in text if each == "\0" or "\ud800" <= each <= "\udfff"), None):
                raise ValueError(f"must not hold the character {found!r}")
        return value

    @field_validator("delimiter", mode="before")
    @classmethod
    def _read_escaped_tab(cls, delimiter: Any) -> Any:
        # A shell hands over --set data.delimiter='\t' as a backslash and a t.
        return "\t" if delimiter == "\\t" else delimiter

    @field_validator("columns", "delimiter", "quoting", "encoding")
    @classmethod
    def _refuse_for_tfrecord(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("format") == "tfrecord" and value is not None:
            raise ValueError("says how CSV files are written, but data.format is 'tfrecord'; remove it")
        return value

    @field_validator("columns", "text")
    @classmethod
    def _refuse_repeats(cls, names: list[str] | None) -> list[str] | None:
        if repeated := repeated_names(names or []):
            raise ValueError(f"names a column twice: {quoted(repeated)}")
        return names

    @field_validator("columns")
    @classmethod
    def _refuse_too_many(cls, columns: list[str] | None) -> list[str] | None:
        if problem := too_many_columns(len(columns or [])):
            raise ValueError(problem)
        return columns

    @field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, delimiter: str) -> str:
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise ValueError(f"must be one character, not a quote or a line break; given {delimiter!r}")
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, encoding: str) -> str:
        try:
            "a".encode(encoding)
            is_text = codecs.lookup(encoding).name.replace("_", "-") not in _NOT_FOR_FILES
        except (LookupError, ValueError):
            is_text = False
        if not is_text:
            raise ValueError(f"is not a text encoding such as 'utf-8' or 'latin-1'; given {encoding!r}")
        return encoding

    @field_validator("text")
    @classmethod
    def _check_text(cls, text: list[str], info: ValidationInfo) -> list[str]:
        _check_listed(text, info)
        return text

    @field_validator("label")
    @classmethod
    def _check_label(cls, label: str, info: ValidationInfo) -> str:
        if label in info.data.get("text", []):
            raise ValueError(f"{label!r} is also a text column; the model would read the answer")
        _check_listed([label], info)
        return label


class RowFormat(RowSettings):
    """What ExampleGen's workers must know of the rows.

    Attributes:
        task: `classification`, or `regression`, whose labels must be finite numbers.
    """

    task: Literal["classification", "regression"] = "classification"

    @property
    def needed(self) -> list[str]:
        """The columns without which a row is of no use."""
        return [*self.text, self.label]

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "RowFormat":
        """Reads what `model_dump(mode="json", exclude_defaults=True)` returned, or a user's keys.

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
    problems = []
    for name, key in keys:
        if name not in existing:
            near = difflib.get_close_matches(name, existing, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"has no column {name!r} ({key}); its columns are: {quoted(existing)}{hint}")
    return problems


def too_many_columns(count: int) -> str | None:
    """Why rows with so many columns can't be read; None when they can."""
    if count <= MOST_COLUMNS:
        return None
    return (
        f"has {count:,} columns; at most {MOST_COLUMNS:,} can be read, because each costs time in every step: "
        "leave out those that are neither text, label nor a slice"
    )


def quoted(names: Sequence[str]) -> str:
    """The first names, each shortened if it is very long: a file of another kind may have names of megabytes."""
    shown = [repr(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}…") for name in names[:_MOST_SHOWN]]
    return ", ".join([*shown, "…"] if len(names) > _MOST_SHOWN else shown)


def repeated_names(names: Sequence[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _check_listed(names: Sequence[str], info: ValidationInfo) -> None:
    columns = info.data.get("columns")
    missing = [name for name in names if columns is not None and name not in columns]
    if columns is not None and missing:
        raise ValueError(no_column(missing, columns))


def no_column(missing: Sequence[str], columns: Sequence[str]) -> str:
    """Says that `missing` are not among `columns`, which the config names."""
    return f"there is no column {quoted(missing)}; data.columns names {quoted(columns)}"
