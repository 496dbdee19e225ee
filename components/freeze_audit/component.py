"""FreezeAudit: the exported model against the Hub model, between Trainer and Pusher."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import BLESSING_KEY, CUSTOM_CONFIG_KEY, MODEL_KEY, MODEL_RUN_KEY

from components import artifacts
from components.custom_config import pack_custom_config
from components.freeze_audit.executor import AUDIT_KEY, Executor
from components.plan_channel import FREEZE_PLAN_KEY


class FreezeAuditSpec(ComponentSpec):
    """What goes in, and what comes out."""

    PARAMETERS = {CUSTOM_CONFIG_KEY: ExecutionParameter(type=str)}  # noqa: RUF012
    INPUTS = {  # noqa: RUF012
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        FREEZE_PLAN_KEY: ChannelParameter(type=artifacts.FreezePlan),
        MODEL_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing),
        AUDIT_KEY: ChannelParameter(type=artifacts.FreezeAudit),
    }


class FreezeAudit(base_component.BaseComponent):
    """Compares the exported model with the Hub model, variable by variable and bit by bit.

    It doesn't fail when something is wrong: it withholds its blessing, and Pusher then pushes nothing.

    Args:
        model: The Trainer's.
        freeze_plan: FreezePlanner's.
        custom_config: What the Trainer gets: settings under `bert`, which name the Hub model; or a runtime parameter
            that holds this as JSON text.
        model_run: The Trainer's; with it, the exported values are compared with the trained ones as well.

    Its outputs are `blessing`, an InfraBlessing such as InfraValidator gives
    (https://www.tensorflow.org/tfx/guide/infra_validator), and `audit`, a `components.FreezeAudit`.

    Example:
        >>> audit = FreezeAudit(
        ...     model=trainer.outputs["model"],
        ...     freeze_plan=planner.outputs["freeze_plan"],
        ...     custom_config=settings.to_custom_config())                                     # doctest: +SKIP
        >>> pusher = Pusher(..., infra_blessing=audit.outputs["blessing"])                    # doctest: +SKIP
    """

    SPEC_CLASS = FreezeAuditSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel,
        freeze_plan: BaseChannel,
        custom_config: Mapping[str, Any] | RuntimeParameter,
        model_run: BaseChannel | None = None,
    ) -> None:
        spec = FreezeAuditSpec(
            model=model,
            freeze_plan=freeze_plan,
            model_run=model_run,
            custom_config=pack_custom_config(custom_config),
            blessing=Channel(type=standard_artifacts.InfraBlessing),
            audit=Channel(type=artifacts.FreezeAudit),
        )
        super().__init__(spec=spec)
