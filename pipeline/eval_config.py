"""What Evaluator measures and requires, as TFMA's EvalConfig."""

import math

import tensorflow_model_analysis as tfma
from google.protobuf.wrappers_pb2 import DoubleValue

from pipeline.config import LOWER_IS_BETTER, METRICS, PipelineConfig, Threshold
from trainer_module.features import LABEL

_TFMA_METRICS = {
    "accuracy": tfma.MetricConfig(class_name="SparseCategoricalAccuracy", config='{"name": "accuracy"}'),
    "loss": tfma.MetricConfig(class_name="SparseCategoricalCrossentropy", config='{"name": "loss"}'),
    "mse": tfma.MetricConfig(class_name="MeanSquaredError", config='{"name": "mse"}'),
    "mae": tfma.MetricConfig(class_name="MeanAbsoluteError", config='{"name": "mae"}'),
    "pearson_r2": tfma.MetricConfig(class_name="SquaredPearsonCorrelation", config='{"name": "pearson_r2"}'),
}
_CLASSIFICATION_METRICS = tfma.MetricConfig(
    class_name="ClassificationMetrics", module="components.classification_metrics"
)
_EXAMPLE_COUNT = tfma.MetricConfig(class_name="ExampleCount", config='{"name": "example_count"}')


def make_eval_config(config: PipelineConfig) -> tfma.EvalConfig:
    """The model's own signature on raw rows, per slice, with an absolute and a change threshold per metric.

    See https://www.tensorflow.org/tfx/model_analysis/setup.
    """
    task = config.model.task
    metrics = [_TFMA_METRICS[name] for name in METRICS[task] if name in _TFMA_METRICS]
    if task == "classification":
        metrics.append(_CLASSIFICATION_METRICS)
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="serving_default",
                preprocessing_function_names=["transform_features"],
                label_key=LABEL,
                prediction_key="probabilities" if task == "classification" else "prediction",
            )
        ],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=columns) for columns in config.evaluate.slices),
        ],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[*metrics, _EXAMPLE_COUNT],
                thresholds={name: _threshold(name, wanted) for name, wanted in config.evaluate.thresholds.items()},
            )
        ],
    )


def _threshold(name: str, wanted: Threshold) -> tfma.MetricThreshold:
    # Without any bound on the value Evaluator blesses nothing as long as there is no live model to compare with.
    lower = -math.inf if wanted.at_least is None else wanted.at_least
    upper = math.inf if wanted.at_most is None else wanted.at_most
    threshold = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(
            lower_bound=DoubleValue(value=lower), upper_bound=DoubleValue(value=upper)
        )
    )
    if wanted.no_worse_than_live_by is not None:
        lower_is_better = name in LOWER_IS_BETTER
        margin = wanted.no_worse_than_live_by
        threshold.change_threshold.CopyFrom(
            tfma.GenericChangeThreshold(
                direction=tfma.MetricDirection.LOWER_IS_BETTER
                if lower_is_better
                else tfma.MetricDirection.HIGHER_IS_BETTER,
                absolute=DoubleValue(value=margin if lower_is_better else -margin),
            )
        )
    return threshold
