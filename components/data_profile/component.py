"""DataProfile: the rows of a window in numbers, which travel with the model that is trained on them."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY, EXAMPLES_KEY

from components import artifacts
from components.custom_config import pack_custom_config
from components.data_profile.executor import PROFILE_KEY, Executor


class DataProfileSpec(ComponentSpec):
    """What goes in, and what comes out."""

    PARAMETERS = {CUSTOM_CONFIG_KEY: ExecutionParameter(type=str)}  # noqa: RUF012
    INPUTS = {EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}  # noqa: RUF012
    OUTPUTS = {PROFILE_KEY: ChannelParameter(type=artifacts.DataProfile)}  # noqa: RUF012


class DataProfile(base_component.BaseComponent):
    """Counts labels, text lengths and word pieces of each split, as the model's own tokenizer splits the texts.

    It doesn't look at the live model, so that a Trainer that takes its output is still taken from TFX's cache when
    only the live model changed. `DataGate` compares the profiles of two windows.

    Args:
        examples: ExampleGen's.
        custom_config: Settings under `bert`; `BertSettings.to_transform_config` gives those that matter here.

    Its output is `data_profile`, a `components.DataProfile`.
    """

    SPEC_CLASS = DataProfileSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, *, examples: BaseChannel, custom_config: Mapping[str, Any]) -> None:
        spec = DataProfileSpec(
            examples=examples,
            custom_config=pack_custom_config(custom_config),
            data_profile=Channel(type=artifacts.DataProfile),
        )
        super().__init__(spec=spec)
