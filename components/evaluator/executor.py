"""What Evaluator does when it runs: TFX's work without AutoGraph, with the thresholds of this run."""

from typing import Any

import tensorflow as tf
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator.executor import Executor
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import EVAL_CONFIG_KEY
from tfx.utils import proto_utils

from components.evaluator.metric_configs import task_of, with_thresholds
from components.evaluator.thresholds import THRESHOLDS_KEY, read_thresholds


class UnconvertedExecutor(Executor):
    """Measures as TFX's does, sooner."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See base class.

        Args:
            input_dict: The stock Evaluator's.
            output_dict: The stock Evaluator's.
            exec_properties: The stock Evaluator's, and `thresholds`: JSON that replaces those of `eval_config`.

        Raises:
            UserError: `thresholds` is wrong.
        """
        exec_properties = exec_properties | _eval_config_of_this_run(exec_properties)
        # TensorFlow would rewrite the source of each Keras metric first, which takes longer than to measure some
        # thousand rows. Keras's metrics are computed eagerly here and need no rewriting.
        tf.autograph.experimental.do_not_convert(super().Do)(input_dict, output_dict, exec_properties)


def _eval_config_of_this_run(exec_properties: dict[str, Any]) -> dict[str, str]:
    text = exec_properties.get(THRESHOLDS_KEY)
    if text is None:
        return {}
    eval_config = proto_utils.json_to_proto(exec_properties[EVAL_CONFIG_KEY], config_pb2.EvalConfig())
    thresholds = read_thresholds(text, task_of(eval_config))
    return {EVAL_CONFIG_KEY: proto_utils.proto_to_json(with_thresholds(eval_config, thresholds))}
