"""ReleaseGate: the exported model as whoever serves it will see it, between Trainer and Pusher."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import (
    BLESSING_KEY,
    CUSTOM_CONFIG_KEY,
    EXAMPLES_KEY,
    MODEL_KEY,
    MODEL_RUN_KEY,
    TRANSFORM_GRAPH_KEY,
)

from components import artifacts
from components.custom_config import pack_custom_config
from components.release_gate.executor import AUDIT_BLESSING_KEY, LIMITS_KEY, REPORT_KEY, Executor
from components.release_gate.limits import ReleaseLimits


class ReleaseGateSpec(ComponentSpec):
    """What goes in, and what comes out."""

    PARAMETERS = {  # noqa: RUF012
        CUSTOM_CONFIG_KEY: ExecutionParameter(type=str),
        LIMITS_KEY: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        MODEL_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        TRANSFORM_GRAPH_KEY: ChannelParameter(type=standard_artifacts.TransformGraph),
        AUDIT_BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing),
        REPORT_KEY: ChannelParameter(type=artifacts.ReleaseReport),
    }


class ReleaseGate(base_component.BaseComponent):
    """Loads the exported model in a new process that has only TensorFlow and tensorflow-text, and asks it questions.

    Real rows, empty and very long texts and odd Unicode go through each signature. Its answers must have the right
    shapes, be probabilities, and agree with the Trainer's own predictions; size and latency may be limited. When
    something is wrong it doesn't fail: it withholds its blessing, and Pusher then pushes nothing.

    Args:
        model: The Trainer's.
        model_run: The Trainer's, which holds its predictions.
        examples: ExampleGen's, of which the Trainer's predictions are.
        transform_graph: Transform's.
        custom_config: What the Trainer gets: settings under `bert`, which name the columns; or a runtime parameter that
            holds this as JSON text.
        limits: See `ReleaseLimits`.
        audit_blessing: FreezeAudit's; the blessing is then given only where that is.

    Its outputs are `blessing`, an InfraBlessing such as InfraValidator gives
    (https://www.tensorflow.org/tfx/guide/infra_validator), and `report`, a `components.ReleaseReport`.

    Example:
        >>> gate = ReleaseGate(
        ...     model=trainer.outputs["model"],
        ...     model_run=trainer.outputs["model_run"],
        ...     examples=example_gen.outputs["examples"],
        ...     transform_graph=transform.outputs["transform_graph"],
        ...     custom_config=settings.to_custom_config())                                     # doctest: +SKIP
        >>> pusher = Pusher(..., infra_blessing=gate.outputs["blessing"])                     # doctest: +SKIP
    """

    SPEC_CLASS = ReleaseGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel,
        model_run: BaseChannel,
        examples: BaseChannel,
        transform_graph: BaseChannel,
        custom_config: Mapping[str, Any] | RuntimeParameter,
        limits: ReleaseLimits | None = None,
        audit_blessing: BaseChannel | None = None,
    ) -> None:
        spec = ReleaseGateSpec(
            model=model,
            model_run=model_run,
            examples=examples,
            transform_graph=transform_graph,
            audit_blessing=audit_blessing,
            custom_config=pack_custom_config(custom_config),
            limits=(limits or ReleaseLimits()).model_dump_json(),
            blessing=Channel(type=standard_artifacts.InfraBlessing),
            report=Channel(type=artifacts.ReleaseReport),
        )
        super().__init__(spec=spec)
