"""Metrics and their thresholds, in TFMA's terms."""

import json
import math
from collections.abc import Mapping

from google.protobuf.wrappers_pb2 import DoubleValue
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.thresholds import LOWER_IS_BETTER, METRICS, Threshold

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
    "example_count": ("ExampleCount", ""),
}


def metric_configs(task: str, thresholds: Mapping[str, Threshold]) -> list[config_pb2.MetricConfig]:
    """All metrics of a task, with an absolute and a change threshold for those that have one."""
    names = [*METRICS[task], *(["per_class"] if task == "classification" else []), "example_count"]
    return [_metric(name, thresholds.get(name)) for name in names]


def task_of(eval_config: config_pb2.EvalConfig) -> str:
    """The task whose metrics `eval_config` measures."""
    names = {json.loads(metric.config)["name"] for spec in eval_config.metrics_specs for metric in spec.metrics}
    return next(task for task, of_task in METRICS.items() if names.issuperset(of_task))


def with_thresholds(eval_config: config_pb2.EvalConfig, thresholds: Mapping[str, Threshold]) -> config_pb2.EvalConfig:
    """A copy with these thresholds in place of those that it has."""
    changed = config_pb2.EvalConfig()
    changed.CopyFrom(eval_config)
    del changed.metrics_specs[:]
    changed.metrics_specs.append(config_pb2.MetricsSpec(metrics=metric_configs(task_of(eval_config), thresholds)))
    return changed


def _metric(name: str, wanted: Threshold | None) -> config_pb2.MetricConfig:
    class_name, module = _METRIC_CLASSES[name]
    return config_pb2.MetricConfig(
        class_name=class_name,
        module=module,
        config=json.dumps({"name": name}),
        # Of all rows only: a plain `threshold` would hold for each slice, however small, as well.
        per_slice_thresholds=[
            config_pb2.PerSliceMetricThreshold(
                slicing_specs=[config_pb2.SlicingSpec()], threshold=_threshold(name, wanted)
            )
        ]
        if wanted
        else [],
    )


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
