"""What Evaluator measures and requires, as TFMA's EvalConfig."""

from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.metric_configs import metric_configs, slicing_spec
from pipeline.config import PipelineConfig
from trainer_module.features import LABEL


def make_eval_config(config: PipelineConfig) -> config_pb2.EvalConfig:
    """The model's own signature on raw rows, per slice, with an absolute and a change threshold per metric.

    See https://www.tensorflow.org/tfx/model_analysis/setup.
    """
    task = config.model.task
    wanted = config.evaluate
    slices = [config_pb2.SlicingSpec(feature_keys=columns) for columns in wanted.slices]
    slices += [spec for spec in map(slicing_spec, wanted.slice_thresholds) if spec not in slices]
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                model_type="tf_generic",  # else TFMA finds it out by loading the model as a Keras model first
                signature_name="serving_default",
                preprocessing_function_names=["transform_features"],
                label_key=LABEL,
                prediction_key="probabilities" if task == "classification" else "prediction",
            )
        ],
        slicing_specs=[config_pb2.SlicingSpec(), *slices],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=metric_configs(
                    task,
                    wanted.thresholds,
                    wanted.slice_thresholds,
                    wanted.minimum_examples,
                    must_beat_baseline=wanted.must_beat_baseline,
                )
            )
        ],
    )
