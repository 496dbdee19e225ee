"""What a model must reach before it is blessed: the terms of `[evaluate.thresholds]`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails

from components.json_parameters import read_object
from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error, problem

THRESHOLDS_KEY = "thresholds"
"""The execution property."""

METRICS: Mapping[str, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1", "auc", "loss"),
    "regression": ("mse", "mae", "pearson_r2"),
}
LOWER_IS_BETTER = frozenset({"loss", "mse", "mae"})

BASELINE_P_VALUE = "baseline_p_value"
"""The metric that `evaluate.must_beat_baseline` bounds: the probability of a result at least as good as the model's if
it were no better than its `Baseline`."""
BASELINE_LEVEL = 0.05
"""The largest p-value with which a model counts as better than its baseline; the conventional level."""


class Threshold(BaseModel):
    """What one metric must reach.

    Attributes:
        at_least: Lowest value allowed; for metrics where more is better.
        at_most: Highest value allowed; for the metrics in `LOWER_IS_BETTER`.
        no_worse_than_live_by: How much worse than the latest blessed model, on the same rows, it may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_least: Annotated[float, Field(ge=0, le=1)] | None = None
    at_most: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    no_worse_than_live_by: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Baseline(NamedTuple):
    """The best that can be done without reading the rows.

    Attributes:
        metric: The metric by which the model is compared with it.
        value: The name of the metric that holds the baseline's own `metric`.
        guess: What the baseline predicts for each row.
    """

    metric: str
    value: str
    guess: str


BASELINES: Mapping[str, Baseline] = {
    "classification": Baseline("accuracy", "baseline_accuracy", "the majority class"),
    "regression": Baseline("mse", "baseline_mse", "the mean"),
}
"""By task. `components.classification_metrics` and `components.regression_metrics` say how they are compared."""


class _Section(BaseModel):
    thresholds: dict[str, Threshold]


def default_thresholds(task: str | None) -> dict[str, Threshold]:
    """Where none are given: as good as the live model."""
    return {BASELINES[task or "classification"].metric: Threshold(no_worse_than_live_by=0.0)}


def read_thresholds(text: str, task: str) -> dict[str, Threshold]:
    """Reads the runtime parameter `thresholds`; its problems are told as those of a config are.

    Args:
        text: JSON of an object in the terms of `[evaluate.thresholds]`; of an empty one: the default.
        task: A key of `METRICS`.

    Raises:
        UserError: Names every problem.

    Example:
        >>> read_thresholds('{"accuracy": {"at_least": 0.9}}', "classification")["accuracy"].at_least
        0.9
    """
    given = read_object("evaluate.thresholds", text, '{"accuracy": {"at_least": 0.9}}')
    problems: list[Any] = list(threshold_problems(given, task))
    try:
        section = _Section.model_validate({"thresholds": given}, strict=True)
    except ValidationError as error:
        problems = [*error.errors(include_url=False), *problems]
    if problems:
        together = ValidationError.from_exception_data("evaluate", problems)
        raise UserError(describe_validation_error(together, _Section, prefix="evaluate"))
    return section.thresholds or default_thresholds(task)


def threshold_problems(thresholds: Any, task: str | None) -> Iterator[InitErrorDetails]:
    """Metrics not of the task, and bounds that don't fit the metric. Wrong types are left to pydantic.

    Args:
        thresholds: As given, unchecked.
        task: A key of `METRICS`; None where nobody knows it: then all metrics are allowed.
    """
    known = METRICS[task] if task else tuple(name for names in METRICS.values() for name in names)
    for metric, bounds in _table(thresholds).items():
        path = ("thresholds", metric)
        if metric not in known:
            of_task = f" of {task}" if task else ""
            yield problem(path, f"is not a known metric{of_task}; known metrics: {', '.join(known)}", metric)
        elif bounds == {}:
            yield problem(path, "sets no bound; give at_least, at_most or no_worse_than_live_by", bounds)
        elif metric in LOWER_IS_BETTER and "at_least" in _table(bounds):
            message = f"does not fit {metric}, where less is better; use at_most"
            yield problem((*path, "at_least"), f"{message}; given {bounds['at_least']!r}", bounds)
        elif metric not in LOWER_IS_BETTER and "at_most" in _table(bounds):
            message = f"does not fit {metric}, where more is better; use at_least"
            yield problem((*path, "at_most"), f"{message}; given {bounds['at_most']!r}", bounds)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
