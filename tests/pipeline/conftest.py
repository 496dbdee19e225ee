"""Evaluates given predictions as TFX's Evaluator would those of a model."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from components.beam_runner import IN_PROCESS
from pipeline.config import PipelineConfig

MakeConfig = Callable[..., PipelineConfig]
Evaluate = Callable[..., str]


@pytest.fixture(scope="session")
def make_config() -> MakeConfig:
    """A small config: `make_config(thresholds={…}, slices=[…], task="regression", minimum_examples=…)`.

    Its models need not be better than guessing, because a handful of rows can't show that they are.
    """

    def make(
        thresholds: dict[str, Any] | None = None,
        slices: Sequence[Sequence[str]] = (),
        task: str = "classification",
        **evaluate: Any,
    ) -> PipelineConfig:
        return PipelineConfig.model_validate(
            {
                "pipeline": {"name": "mine", "root": "run"},
                "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
                "model": {"hub": "model", "task": task},
                "evaluate": {
                    "thresholds": thresholds or {},
                    "slices": [list(columns) for columns in slices],
                    **{"must_beat_baseline": False, **evaluate},
                },
            }
        )

    return make


@pytest.fixture(scope="session")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    """Writes an `evaluation` artifact and gives its folder: `evaluate(config, labels, predictions, live=…, city=…)`."""
    # Here, because most tests of this folder can do without them.
    import apache_beam as beam
    import pandas as pd
    import pyarrow as pa
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.api import model_eval_lib
    from tensorflow_model_analysis.evaluators import metrics_plots_and_validations_evaluator
    from tensorflow_model_analysis.extractors import (
        features_extractor,
        labels_extractor,
        materialized_predictions_extractor,
        slice_key_extractor,
        unbatch_extractor,
    )
    from tfx_bsl.arrow import table_util

    from pipeline.eval_config import make_eval_config

    def run(
        config: PipelineConfig,
        labels: Sequence[float],
        predictions: Sequence[Any],
        live: Sequence[Any] | None = None,
        **columns: Sequence[str],
    ) -> str:
        eval_config = tfma.utils.update_eval_config_with_defaults(
            make_eval_config(config), has_baseline=live is not None, rubber_stamp=True
        )
        candidate = eval_config.model_specs[0]
        data = {candidate.label_key: labels, candidate.prediction_key: predictions, **columns}
        if live is not None:
            eval_config.model_specs[1].prediction_key = "live"
            data["live"] = live
        for spec in eval_config.model_specs:
            spec.ClearField("preprocessing_function_names")
        batch = table_util.CanonicalizeRecordBatch(pa.RecordBatch.from_pandas(pd.DataFrame(data)))
        steps = {
            "extractors": [
                features_extractor.FeaturesExtractor(eval_config=eval_config),
                labels_extractor.LabelsExtractor(eval_config=eval_config),
                materialized_predictions_extractor.MaterializedPredictionsExtractor(eval_config=eval_config),
                unbatch_extractor.UnbatchExtractor(),
                slice_key_extractor.SliceKeyExtractor(eval_config=eval_config),
            ],
            "evaluators": [
                metrics_plots_and_validations_evaluator.MetricsPlotsAndValidationsEvaluator(eval_config=eval_config)
            ],
        }
        folder = str(tmp_path_factory.mktemp("evaluation"))
        with beam.Pipeline(runner=IN_PROCESS) as pipeline:
            _ = (
                pipeline
                | beam.Create([batch])
                | tfma.BatchedInputsToExtracts()
                | model_eval_lib.ExtractAndEvaluate(**steps)
                | model_eval_lib.WriteResults(writers=tfma.default_writers(folder, eval_config=eval_config))
            )
        return folder

    return run
