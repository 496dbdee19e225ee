"""What Evaluator measures and requires, as TFMA's EvalConfig."""

import tensorflow_model_analysis as tfma

from components.evaluator.metric_configs import metric_configs
from pipeline.config import PipelineConfig
from trainer_module.features import LABEL


def make_eval_config(config: PipelineConfig) -> tfma.EvalConfig:
    """The model's own signature on raw rows, per slice, with an absolute and a change threshold per metric.

    See https://www.tensorflow.org/tfx/model_analysis/setup.
    """
    task = config.model.task
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
        metrics_specs=[tfma.MetricsSpec(metrics=metric_configs(task, config.evaluate.thresholds))],
    )
