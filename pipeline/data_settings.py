"""Which rows there are to learn from: `[data]` of a config."""

import datetime
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.example_gen.row_format import RowSettings
from components.example_gen.spans import (
    LARGEST_SPAN,
    LAST_DATE,
    LATEST,
    NEWEST,
    eval_problem,
    has_span,
    is_dated,
    no_place,
    path_problems,
    span_of,
    window_problem,
)
from pipeline.strict_section import NonEmpty, StrictSection


class DataSettings(StrictSection, RowSettings):
    """The rows: where they are, how they are stored, and which columns matter.

    `RowSettings` has the keys `columns`, `delimiter`, `quoting`, `encoding`, `text`, `label` and `on_bad_rows`.

    Attributes:
        train: File, folder or glob. `{SPAN}` (or `{SPAN:3}`, for three digits) in it, or `{YYYY}`, `{MM}` and `{DD}`,
            stands for a number or day that names one delivery of rows; `{VERSION}` for its corrections.
        eval: The same for the rows to evaluate on, read for the same spans; or `newest`, to hold out the newest span of
            the window; without it `eval_fraction` of `train` (of each span) is held out.
        span: The newest span to read: a number, or a date such as `2026-11-27`; default: the newest that there is.
        window: How many spans to read, up to that one.
        on_missing_span: Whether a span of the window that has no files fails the run, or is warned of. The newest fails
            it in any case.
        eval_fraction: Share of `train` that is held out, by a hash of the row; unused where `eval` is given.
        format: `csv` or `tfrecord`; default: what the ending of `train` says.
        schema_path: A schema.pbtxt to use instead of an inferred one; its key in the file is `schema`.
    """

    # The order matters: a check of one key sees only the keys above it.
    train: NonEmpty
    eval: NonEmpty | None = None
    span: Annotated[int, Field(ge=0, le=LARGEST_SPAN)] | None = None
    window: Annotated[int, Field(ge=1, le=10_000, validate_default=True)] = 1
    on_missing_span: Literal["fail", "warn"] = "fail"
    eval_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    schema_path: NonEmpty | None = Field(default=None, alias="schema")

    @model_validator(mode="before")
    @classmethod
    def _read_format_from_ending(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and str(given.get("train")).endswith((".tfrecord", ".tfrecord.gz")):
            return {"format": "tfrecord", **given}
        return given

    @property
    def eval_path(self) -> str | None:
        """Where the rows to evaluate on are; None where they are some of `train`'s."""
        return None if self.eval == NEWEST else self.eval

    @property
    def span_to_read(self) -> int | None:
        """What ExampleGen is told; None where the paths hold no spans."""
        if not has_span(self.train):
            return None
        return LATEST if self.span is None else self.span

    @field_validator("train", "eval")
    @classmethod
    def _check_placeholders(cls, value: str | None) -> str | None:
        if problems := path_problems(value or ""):
            raise ValueError("\n".join(problems))
        return value

    @field_validator("eval")
    @classmethod
    def _refuse_span_in_one(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "train" in info.data and (found := eval_problem(info.data["train"], value)):
            raise ValueError(found)
        return value

    @field_validator("span", mode="before")
    @classmethod
    def _read_date(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool | int | float | None):
            return value
        try:
            date = datetime.date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            date = None
        if type(date) is not datetime.date:  # a datetime is one too, but names no day
            raise ValueError(f"must be a number, or a date such as 2026-11-27; given {value!r}")
        train = info.data.get("train", "")
        if has_span(train) and not is_dated(train):
            raise ValueError(f"must be a number, as data.train has {{SPAN}} in it; given the date {date}")
        return span_of(date)

    @field_validator("span", "on_missing_span")
    @classmethod
    def _refuse_without_spans(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and not has_span(info.data.get("train", "{SPAN}")):
            raise ValueError(no_place(info.data["train"]))
        return value

    @field_validator("span")
    @classmethod
    def _refuse_beyond_dates(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and is_dated(info.data.get("train", "")) and value > span_of(LAST_DATE):
            raise ValueError(f"is no day: {value} days after 1970-01-01; write a date such as 2026-11-27")
        return value

    @field_validator("window")
    @classmethod
    def _refuse_window(cls, value: int, info: ValidationInfo) -> int:
        if "train" in info.data and (found := window_problem(info.data["train"], info.data.get("eval"), value)):
            raise ValueError(found)
        return value

    @field_validator("eval_fraction")
    @classmethod
    def _refuse_two_evals(cls, value: float, info: ValidationInfo) -> float:
        if info.data.get("eval") is not None:
            raise ValueError("only splits `train` where data.eval is not given; remove one of the two")
        return value
