"""`[data_gate]`: what rows must be like, and what happens when they aren't."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Action = Literal["stop", "warn", "off"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AtMost(_Strict):
    """A distance between two sets of rows, of 0 to 1.

    Attributes:
        at_most: Beyond it, `action` is taken.
        action: `stop` the run, `warn`, or `off`: don't look.
    """

    at_most: Annotated[float, Field(ge=0, le=1)]
    action: Action = "stop"


class AtLeast(_Strict):
    """A number of rows or classes.

    Attributes:
        at_least: Below it, `action` is taken.
        action: `stop` the run, `warn`, or `off`: don't look.
    """

    at_least: Annotated[int, Field(ge=1)]
    action: Action = "stop"


class DataGateSettings(_Strict):
    """The checks. Each may be written as a table, as its limit alone, or as its action alone.

    What ends in `_drift` compares this run's rows with those that the live model was trained on, split by split; what
    ends in `_skew` compares the evaluation rows with the training rows.

    Attributes:
        on_anomalies: What ExampleValidator found. See `anomalies.find_anomalies`.
        min_rows: Training rows.
        min_classes: Classes among the training rows.
        min_rows_per_class: Training rows of each class.
        compare_from_rows: With fewer rows on either side, nothing is compared: chance alone would make a difference.
        label_drift: Largest difference of a class's share; for regression the largest difference of the two cumulative
            distributions (Kolmogorov-Smirnov).
        text_length_drift: Jensen-Shannon divergence (in bits) of the texts' numbers of word pieces.
        vocabulary_drift: The same, of how often each word piece occurs.
        unknown_token_drift: Difference of the shares of word pieces that the vocabulary doesn't have.
        label_skew: As `label_drift`.
        text_length_skew: As `text_length_drift`.
        vocabulary_skew: As `vocabulary_drift`.
        unknown_token_skew: As `unknown_token_drift`.

    Example:
        >>> gate = DataGateSettings.model_validate({"min_rows": 1000, "label_drift": "warn"})
        >>> gate.min_rows.at_least, gate.label_drift.at_most, gate.label_drift.action
        (1000, 0.2, 'warn')
    """

    on_anomalies: Action = "stop"
    min_rows: AtLeast = AtLeast(at_least=1)
    min_classes: AtLeast = AtLeast(at_least=2)
    min_rows_per_class: AtLeast = AtLeast(at_least=1)
    compare_from_rows: Annotated[int, Field(ge=1)] = 400
    label_drift: AtMost = AtMost(at_most=0.2)
    text_length_drift: AtMost = AtMost(at_most=0.1)
    vocabulary_drift: AtMost = AtMost(at_most=0.3)
    unknown_token_drift: AtMost = AtMost(at_most=0.02)
    label_skew: AtMost = AtMost(at_most=0.2, action="warn")
    text_length_skew: AtMost = AtMost(at_most=0.1, action="warn")
    vocabulary_skew: AtMost = AtMost(at_most=0.3, action="warn")
    unknown_token_skew: AtMost = AtMost(at_most=0.02, action="warn")

    @field_validator("*", mode="before")
    @classmethod
    def _complete(cls, value: Any, info: ValidationInfo) -> Any:
        """What isn't said of a check stays as it is by default."""
        default = cls.model_fields[info.field_name].default if info.field_name else None
        if not isinstance(default, AtMost | AtLeast):
            return value
        if isinstance(value, str):
            value = {"action": value}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = {"at_most" if isinstance(default, AtMost) else "at_least": value}
        return default.model_dump() | dict(value) if isinstance(value, Mapping) else value
