"""What Evaluator found: metrics overall, per class and per slice, and which threshold was missed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants

from components.evaluator.metric_configs import EXAMPLE_COUNT

Slice = str
"""`column=value`, several joined by a comma; the empty string for all rows."""


@dataclass(frozen=True)
class Evaluation:
    """Measured on the evaluation rows.

    Attributes:
        metrics: By name, over all rows; a class's own as `precision/NAME`. Without what these rows can't tell, such
            as the AUC of one class.
        slices: The metrics without the per-class ones, by slice.
        live: `metrics` of the latest blessed model on the same rows; empty when there was none.
        missed: One line for each threshold that was missed.
    """

    metrics: Mapping[str, float]
    slices: Mapping[Slice, Mapping[str, float]]
    live: Mapping[str, float]
    missed: Sequence[str]


def read_evaluation(path: str, labels: Sequence[str]) -> Evaluation:
    """Reads an Evaluator's `evaluation` artifact.

    Args:
        path: Its folder.
        labels: Class names by index.
    """
    validation = tfma.load_validation_result(path)
    result = tfma.load_eval_result(path)
    live: Mapping[str, float] = {}
    if len(result.config.model_specs) > 1:
        result = tfma.load_eval_result(path, model_name=constants.CANDIDATE_KEY)
        live = _by_slice(tfma.load_eval_result(path, model_name=constants.BASELINE_KEY), labels).get("", {})
    slices = _by_slice(result, labels)
    return Evaluation(
        metrics=slices.get("", {}),
        slices={
            name: {metric: value for metric, value in metrics.items() if "/" not in metric}
            for name, metrics in slices.items()
            if name
        },
        live=live,
        # What can't be measured misses each of its thresholds.
        missed=list(dict.fromkeys(_missed(validation))),
    )


def _by_slice(result: Any, labels: Sequence[str]) -> dict[Slice, dict[str, float]]:
    slices: dict[Slice, dict[str, float]] = {}
    for slice_key, outputs in result.slicing_metrics:
        metrics: dict[str, float] = {}
        for by_sub_key in outputs.values():
            for sub_key, by_metric in by_sub_key.items():
                class_id = int(sub_key.removeprefix("classId:")) if sub_key else None
                suffix = "" if class_id is None else f"/{labels[class_id] if class_id < len(labels) else class_id}"
                for metric, value in by_metric.items():
                    number = float(value.get("doubleValue", math.nan))
                    # Of a metric TFMA also gives the difference to the live model's.
                    if math.isfinite(number) and not metric.endswith("_diff"):
                        metrics[metric + suffix] = number
        slices[",".join(f"{column}={value}" for column, value in slice_key)] = metrics
    return slices


def _missed(validation: Any) -> Iterator[str]:
    for each in validation.metric_validations_per_slice:
        rows = ",".join(f"{key.column}={_plain(key)}" for key in each.slice_key.single_slice_keys)
        for failure in each.failures:
            # TFMA tells what it can't measure for every slice, also for those that have no threshold.
            of_slice = rows and failure.HasField("metric_value")
            yield (f"rows with {rows}: " if of_slice else "") + _describe(failure)
    for spec in validation.missing_slices:
        names = [*spec.feature_keys, *(f"{column}={value}" for column, value in sorted(spec.feature_values.items()))]
        yield f"no evaluation row has {','.join(names)}, which evaluate.slice_thresholds names"


def _plain(key: Any) -> Any:
    value = getattr(key, key.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _describe(failure: Any) -> str:
    name = failure.metric_key.name
    value = failure.metric_value.double_value.value
    if not failure.HasField("metric_value") or math.isnan(value):
        return f"{name} could not be measured on these rows, and it has a threshold"
    threshold = failure.metric_threshold
    if threshold.HasField("change_threshold"):
        allowed = abs(threshold.change_threshold.absolute.value)
        return f"{name} is {abs(value):.4f} worse than the live model's; at most {allowed:g} is allowed"
    bounds = threshold.value_threshold
    if name == EXAMPLE_COUNT:
        return f"there are {value:.0f} evaluation rows; evaluate.minimum_examples = {bounds.lower_bound.value:.0f}"
    if value < bounds.lower_bound.value:
        return f"{name} is {value:.4f}; at least {bounds.lower_bound.value:g} is required"
    return f"{name} is {value:.4f}; at most {bounds.upper_bound.value:g} is allowed"
