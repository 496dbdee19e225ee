"""Metrics and their thresholds, in TFMA's terms."""

import json
import math
from collections.abc import Mapping, Sequence

from google.protobuf.wrappers_pb2 import DoubleValue
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.slice_thresholds import SliceThreshold
from components.evaluator.thresholds import BASELINE_LEVEL, BASELINE_P_VALUE, LOWER_IS_BETTER, METRICS, Threshold

EXAMPLE_COUNT = "example_count"
_ALL_ROWS = config_pb2.SlicingSpec()
_OURS = "components.classification_metrics"
_METRIC_CLASSES = {
    "accuracy": ("SparseCategoricalAccuracy", ""),
    "macro_f1": ("MacroF1", _OURS),
    "auc": ("TwoClassAUC", _OURS),
    "loss": ("SparseCategoricalCrossentropy", ""),
    "per_class": ("PerClass", _OURS),
    "mse": ("MeanSquaredError", ""),
    "mae": ("MeanAbsoluteError", ""),
    "pearson_r2": ("SquaredPearsonCorrelation", ""),
    EXAMPLE_COUNT: ("ExampleCount", ""),
}
_BASELINE_CLASSES = {
    "classification": ("MajorityClassBaseline", _OURS),
    "regression": ("MeanBaseline", "components.regression_metrics"),
}


def metric_configs(
    task: str,
    thresholds: Mapping[str, Threshold],
    slice_thresholds: Sequence[SliceThreshold] = (),
    minimum_examples: int | None = None,
    *,
    must_beat_baseline: bool = True,
) -> list[config_pb2.MetricConfig]:
    """All metrics of a task, with an absolute and a change threshold for those that have one.

    Args:
        task: A key of `METRICS`.
        thresholds: Of all rows, by metric.
        slice_thresholds: Of some of them.
        minimum_examples: How many rows there must be.
        must_beat_baseline: Whether the model must be better than the task's baseline; it is measured in any case.
    """
    names = [*METRICS[task], *(["per_class"] if task == "classification" else []), EXAMPLE_COUNT]
    metrics = [_metric(name, *_METRIC_CLASSES[name]) for name in names]
    for metric, name in zip(metrics, names, strict=True):
        # Of all rows only: a plain `threshold` would hold for each slice, however small, as well.
        if name in thresholds:
            metric.per_slice_thresholds.append(_of_rows(_ALL_ROWS, _threshold(name, thresholds[name])))
        for wanted in slice_thresholds:
            if wanted.metric == name:
                metric.per_slice_thresholds.append(_of_rows(slicing_spec(wanted), _threshold(name, wanted)))
    if minimum_examples is not None:
        enough = config_pb2.GenericValueThreshold(lower_bound=DoubleValue(value=minimum_examples))
        threshold = config_pb2.MetricThreshold(value_threshold=enough)
        metrics[-1].per_slice_thresholds.append(_of_rows(_ALL_ROWS, threshold))
    baseline = _metric(BASELINE_P_VALUE, *_BASELINE_CLASSES[task])
    if must_beat_baseline:
        significant = config_pb2.GenericValueThreshold(upper_bound=DoubleValue(value=BASELINE_LEVEL))
        threshold = config_pb2.MetricThreshold(value_threshold=significant)
        baseline.per_slice_thresholds.append(_of_rows(_ALL_ROWS, threshold))
    return [*metrics, baseline]


def slicing_spec(wanted: SliceThreshold) -> config_pb2.SlicingSpec:
    """The rows of a threshold, in TFMA's terms."""
    values = {column: str(value) for column, value in (wanted.slice or {}).items()}
    return config_pb2.SlicingSpec(feature_keys=wanted.columns or [], feature_values=values)


def task_of(eval_config: config_pb2.EvalConfig) -> str:
    """The task whose metrics `eval_config` measures."""
    names = {json.loads(metric.config)["name"] for spec in eval_config.metrics_specs for metric in spec.metrics}
    return next(task for task, of_task in METRICS.items() if names.issuperset(of_task))


def with_thresholds(eval_config: config_pb2.EvalConfig, thresholds: Mapping[str, Threshold]) -> config_pb2.EvalConfig:
    """A copy with these thresholds of all rows in place of those that it has. Others stay."""
    changed = config_pb2.EvalConfig()
    changed.CopyFrom(eval_config)
    for metric in (metric for spec in changed.metrics_specs for metric in spec.metrics):
        name = json.loads(metric.config)["name"]
        if name in (EXAMPLE_COUNT, BASELINE_P_VALUE):
            continue
        kept = [each for each in metric.per_slice_thresholds if _ALL_ROWS not in each.slicing_specs]
        del metric.per_slice_thresholds[:]
        if name in thresholds:
            metric.per_slice_thresholds.append(_of_rows(_ALL_ROWS, _threshold(name, thresholds[name])))
        metric.per_slice_thresholds.extend(kept)
    return changed


def _metric(name: str, class_name: str, module: str) -> config_pb2.MetricConfig:
    return config_pb2.MetricConfig(class_name=class_name, module=module, config=json.dumps({"name": name}))


def _of_rows(rows: config_pb2.SlicingSpec, threshold: config_pb2.MetricThreshold) -> config_pb2.PerSliceMetricThreshold:
    return config_pb2.PerSliceMetricThreshold(slicing_specs=[rows], threshold=threshold)


def _threshold(name: str, wanted: Threshold) -> config_pb2.MetricThreshold:
    # Without any bound on the value Evaluator blesses nothing as long as there is no live model to compare with.
    lower = -math.inf if wanted.at_least is None else wanted.at_least
    upper = math.inf if wanted.at_most is None else wanted.at_most
    threshold = config_pb2.MetricThreshold(
        value_threshold=config_pb2.GenericValueThreshold(
            lower_bound=DoubleValue(value=lower), upper_bound=DoubleValue(value=upper)
        )
    )
    if wanted.no_worse_than_live_by is not None:
        lower_is_better = name in LOWER_IS_BETTER
        margin = wanted.no_worse_than_live_by
        threshold.change_threshold.CopyFrom(
            config_pb2.GenericChangeThreshold(
                direction=config_pb2.MetricDirection.LOWER_IS_BETTER
                if lower_is_better
                else config_pb2.MetricDirection.HIGHER_IS_BETTER,
                absolute=DoubleValue(value=margin if lower_is_better else -margin),
            )
        )
    return threshold
