"""What a model must reach: `[evaluate]` of a config."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import InitErrorDetails

from components.evaluator.slice_thresholds import SliceThreshold, slice_threshold_problems
from components.evaluator.thresholds import Threshold, threshold_problems
from components.example_gen.row_format import no_column
from pipeline.strict_section import StrictSection
from trainer_module.settings import ColumnName
from trainer_module.validation import problem


class EvaluateSettings(StrictSection):
    """How a model is measured and what it must reach.

    Attributes:
        slices: Metrics are also given per value of these columns, or combination of several.
        thresholds: By metric name, see `components.evaluator.thresholds`. Default: accuracy (or mse) no worse than the
            live model's.
        must_beat_baseline: Whether a model is blessed only if it is better than guessing by more than chance: a
            classifier than always predicting the majority class of the evaluation rows (exact one-sided McNemar
            test), a regressor than always predicting their mean (one-sided paired t-test of the squared errors, as
            Diebold and Mariano compare forecasts), both with p <= 0.05. A perfect classifier needs five rows outside
            the majority class to pass.
        minimum_examples: With fewer evaluation rows no model is blessed.
        slice_thresholds: Thresholds on some of the rows; see `components.evaluator.slice_thresholds`.
    """

    slices: list[Annotated[list[ColumnName], Field(min_length=1)]] = Field(default=[])
    thresholds: dict[str, Threshold] = Field(default={})
    must_beat_baseline: bool = True
    minimum_examples: Annotated[int, Field(ge=1)] | None = None
    slice_thresholds: list[SliceThreshold] = Field(default=[])


def evaluate_problems(evaluate: Any, task: str | None, columns: list[str] | None) -> Iterator[InitErrorDetails]:
    """What only the other sections can tell. Wrong types are left to pydantic.

    Args:
        evaluate: The section as it was given.
        task: Of the model; None where nobody knows it.
        columns: Of the rows; None where only the files tell.
    """
    yield from _slice_problems(evaluate, columns)
    yield from threshold_problems(_table(evaluate).get("thresholds"), task)
    yield from slice_threshold_problems(_table(evaluate).get("slice_thresholds"), task)


def _slice_problems(evaluate: Any, columns: list[str] | None) -> Iterator[InitErrorDetails]:
    """Slices on columns that the data is known not to have."""
    if columns is None:
        return
    slices, thresholds = (_list(_table(evaluate).get(key)) for key in ("slices", "slice_thresholds"))
    named: list[tuple[tuple[str | int, ...], Any]] = [(("slices", index), names) for index, names in enumerate(slices)]
    for index, threshold in enumerate(thresholds):
        table = _table(threshold)
        named += [(("slice_thresholds", index, key), table[key]) for key in ("slice", "columns") if key in table]
    for path, names in named:
        missing = [name for name in names if name not in columns] if isinstance(names, list | Mapping) else []
        if missing:
            yield problem(path, no_column(missing, columns), names)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
