"""What Evaluator measures and requires, as TFMA's EvalConfig."""

import json
import math

import tensorflow_model_analysis as tfma
from google.protobuf.wrappers_pb2 import DoubleValue

from pipeline.config import LOWER_IS_BETTER, METRICS, PipelineConfig, Threshold
from trainer_module.features import LABEL

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


def make_eval_config(config: PipelineConfig) -> tfma.EvalConfig:
    """The model's own signature on raw rows, per slice, with an absolute and a change threshold per metric.

    See https://www.tensorflow.org/tfx/model_analysis/setup.
    """
    task = config.model.task
    names = [*METRICS[task], *(["per_class"] if task == "classification" else []), "example_count"]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                model_type="tf_generic",  # else TFMA finds it out by loading the model as a Keras model first
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
            tfma.MetricsSpec(metrics=[_metric(name, config.evaluate.thresholds.get(name)) for name in names])
        ],
    )


def _metric(name: str, wanted: Threshold | None) -> tfma.MetricConfig:
    class_name, module = _METRIC_CLASSES[name]
    return tfma.MetricConfig(
        class_name=class_name,
        module=module,
        config=json.dumps({"name": name}),
        # Of all rows only: a plain `threshold` would hold for each slice, however small, as well.
        per_slice_thresholds=[
            tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=_threshold(name, wanted))
        ]
        if wanted
        else [],
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
