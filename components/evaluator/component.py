"""Evaluator as a pipeline gets it."""

from tensorflow_model_analysis.proto import config_pb2
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ExecutionParameter
from tfx.types.standard_component_specs import EvaluatorSpec
from tfx.utils import json_utils

from components.evaluator.executor import UnconvertedExecutor
from components.evaluator.thresholds import THRESHOLDS_KEY


class UnconvertedEvaluatorSpec(EvaluatorSpec):
    """The stock Evaluator's, and thresholds that are known when it runs."""

    PARAMETERS = EvaluatorSpec.PARAMETERS | {THRESHOLDS_KEY: ExecutionParameter(type=str, optional=True)}


class UnconvertedEvaluator(base_beam_component.BaseBeamComponent):
    """Takes and puts out what TFX's Evaluator does; see `executor.UnconvertedExecutor`.

    Args:
        examples: `Examples`; their split `eval` is measured on.
        model: The Trainer's.
        eval_config: As `pipeline.eval_config.make_eval_config` gives it.
        baseline_model: The live model, to compare with.
        thresholds: A runtime parameter with JSON in the terms of `[evaluate.thresholds]`, instead of those that
            `eval_config` holds.
    """

    SPEC_CLASS = UnconvertedEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(UnconvertedExecutor)

    def __init__(
        self,
        *,
        examples: BaseChannel,
        model: BaseChannel,
        eval_config: config_pb2.EvalConfig,
        baseline_model: BaseChannel | None = None,
        thresholds: RuntimeParameter | None = None,
    ) -> None:
        # Evaluator.__init__ makes a spec of its own class, which has no place for thresholds: hence no subclass of it.
        spec = UnconvertedEvaluatorSpec(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            eval_config=eval_config,
            fairness_indicator_thresholds=json_utils.dumps(None),
            example_splits=json_utils.dumps(None),
            evaluation=Channel(type=standard_artifacts.ModelEvaluation),
            blessing=Channel(type=standard_artifacts.ModelBlessing),
            **({} if thresholds is None else {THRESHOLDS_KEY: thresholds}),
        )
        super().__init__(spec=spec)
