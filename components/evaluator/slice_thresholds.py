"""What a model must reach on some of the rows: `[[evaluate.slice_thresholds]]`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import InitErrorDetails

from components.evaluator.thresholds import Threshold, threshold_problems
from trainer_module.settings import ColumnName
from trainer_module.validation import problem

_BOUNDS = frozenset(Threshold.model_fields)


class SliceThreshold(Threshold):
    """A threshold on the rows of one slice, or of each slice by some columns.

    Attributes:
        metric: As in `[evaluate.thresholds]`.
        slice: The rows that have these values.
        columns: Or each value of this column (combination of values of several).
    """

    metric: str
    slice: Annotated[dict[ColumnName, str | int], Field(min_length=1)] | None = None
    columns: Annotated[list[ColumnName], Field(min_length=1)] | None = None


def slice_threshold_problems(given: Any, task: str | None) -> Iterator[InitErrorDetails]:
    """What pydantic can't tell of a list of such tables.

    Args:
        given: Unchecked.
        task: See `threshold_problems`.
    """
    for index, table in enumerate(given) if isinstance(given, list) else ():
        if not isinstance(table, Mapping):
            continue
        path = ("slice_thresholds", index)
        if ("slice" in table) == ("columns" in table):
            message = 'needs either slice, such as { source = "web" }, or columns, such as ["source"]'
            yield problem(path, message, table)
        if isinstance(table.get("metric"), str):
            bounds = {key: value for key, value in table.items() if key in _BOUNDS}
            for found in threshold_problems({table["metric"]: bounds}, task):
                # Of ("thresholds", METRIC, BOUND).
                bound = found["loc"][2:]
                yield InitErrorDetails(**(found | {"loc": (*path, *(bound or ("metric",)))}))
