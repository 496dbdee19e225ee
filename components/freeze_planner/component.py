"""FreezePlanner: the rules of a configuration resolved against its Hub model, as a pipeline's first step."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY

from components.artifacts import FreezePlan
from components.custom_config import SETTINGS_PARAMETERS, pack_custom_config
from components.evaluator.thresholds import THRESHOLDS_KEY
from components.freeze_planner.executor import Executor
from components.plan_channel import FREEZE_PLAN_KEY


class FreezePlannerSpec(ComponentSpec):
    """No inputs, one output: it needs to wait for nothing."""

    PARAMETERS = SETTINGS_PARAMETERS | {THRESHOLDS_KEY: ExecutionParameter(type=str, optional=True)}
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {FREEZE_PLAN_KEY: ChannelParameter(type=FreezePlan)}  # noqa: RUF012


class FreezePlanner(base_component.BaseComponent):
    """Makes the freeze plan within seconds, and fails when a rule, the model or a setting is wrong.

    What reads data should wait for it (`example_gen.add_upstream_node(planner)`): then a misspelt rule costs no
    hours. Its output `freeze_plan` is for `PlannedTrainer`, which refuses to train by another plan.

    Args:
        custom_config: What the Trainer gets: settings under `bert`, as `BertSettings.to_custom_config` gives them;
            or a runtime parameter that holds this as JSON text.
        parameters: Runtime parameters by the names in `custom_config.SETTINGS_PARAMETERS`, which go before what
            `custom_config` says; and `thresholds`, Evaluator's, so that a wrong one ends the run here.

    Example:
        >>> planner = FreezePlanner(custom_config=settings.to_custom_config())  # doctest: +SKIP
        >>> trainer = PlannedTrainer(
        ...     freeze_plan=planner.outputs["freeze_plan"], ...)                # doctest: +SKIP
    """

    SPEC_CLASS = FreezePlannerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        custom_config: Mapping[str, Any] | RuntimeParameter,
        parameters: Mapping[str, RuntimeParameter] | None = None,
    ) -> None:
        spec = FreezePlannerSpec(
            **{CUSTOM_CONFIG_KEY: pack_custom_config(custom_config), FREEZE_PLAN_KEY: Channel(type=FreezePlan)},
            **(parameters or {}),
        )
        super().__init__(spec=spec)
