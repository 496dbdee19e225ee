"""What may be chosen anew for each run of a compiled pipeline, with the config's values as defaults."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tfx.orchestration.data_types import RuntimeParameter

from components.custom_config import FREEZE_KEY, TRAIN_KEY, TRAIN_STEPS_KEY
from components.evaluator.thresholds import THRESHOLDS_KEY
from components.example_gen.data_paths import input_of
from components.example_gen.span_driver import SPAN_KEY
from pipeline.config import PipelineConfig


@dataclass(frozen=True)
class RuntimeParameters:
    """The runtime parameters of one pipeline.

    Attributes:
        data_root: ExampleGen's base folder.
        span: The newest span to read, -1: the newest there is; None where the paths hold none.
        settings: Those that change `BertSettings`: `freeze`, `train`, `train_steps`.
        thresholds: JSON in the terms of `[evaluate.thresholds]`.
    """

    data_root: RuntimeParameter
    span: RuntimeParameter | None
    settings: Mapping[str, RuntimeParameter]
    thresholds: RuntimeParameter

    def __iter__(self) -> Iterator[RuntimeParameter]:
        return iter([self.data_root, *([self.span] if self.span else []), *self.settings.values(), self.thresholds])

    def defaults(self) -> dict[str, str | int]:
        """The config's values, by name."""
        return {parameter.name: parameter.default for parameter in self}


def runtime_parameters(config: PipelineConfig) -> RuntimeParameters:
    """The parameters of a config's pipeline; `create_pipeline` puts them in the place of constants.

    Args:
        config: With absolute paths.
    """
    data_root, _ = input_of(config.data.train, config.data.eval)
    span = config.data.span_to_read
    freeze = config.model.model_dump(mode="json")["freeze"]
    train = config.train.model_dump(mode="json", exclude_unset=True)
    thresholds = {
        metric: threshold.model_dump(mode="json", exclude_none=True)
        for metric, threshold in config.evaluate.thresholds.items()
    }
    return RuntimeParameters(
        data_root=RuntimeParameter("data_root", str, data_root),
        span=None if span is None else RuntimeParameter(SPAN_KEY, int, span),
        settings={
            FREEZE_KEY: RuntimeParameter(FREEZE_KEY, str, json.dumps(freeze)),
            TRAIN_KEY: RuntimeParameter(TRAIN_KEY, str, json.dumps(train)),
            TRAIN_STEPS_KEY: RuntimeParameter(TRAIN_STEPS_KEY, int, 0),
        },
        thresholds=RuntimeParameter(THRESHOLDS_KEY, str, json.dumps(thresholds)),
    )
