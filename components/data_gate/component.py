"""DataGate: between what is known of the rows and what is made of them."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import ANOMALIES_KEY, MODEL_KEY

from components import artifacts
from components.data_gate.executor import CHECKS_KEY, INFERRED_OF_KEY, REPORT_KEY, Executor
from components.data_gate.settings import DataGateSettings
from components.data_profile.executor import PROFILE_KEY
from trainer_module.settings import ColumnSettings


class DataGateSpec(ComponentSpec):
    """What goes in, and what comes out."""

    PARAMETERS = {  # noqa: RUF012
        CHECKS_KEY: ExecutionParameter(type=str),
        INFERRED_OF_KEY: ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {  # noqa: RUF012
        ANOMALIES_KEY: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        PROFILE_KEY: ChannelParameter(type=artifacts.DataProfile),
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {REPORT_KEY: ChannelParameter(type=artifacts.DataGateReport)}  # noqa: RUF012


class DataGate(base_component.BaseComponent):
    """Fails, and so ends the run, when the rows aren't as `settings` wants them. ExampleValidator never does.

    What reads rows should wait for it: `transform.add_upstream_node(data_gate)`.

    Args:
        anomalies: ExampleValidator's.
        data_profile: DataProfile's.
        model: The live one; with none, or one that carries no profile, nothing is compared with its rows.
        settings: The checks.
        schema_inferred_of: The columns that the model reads, where the schema was inferred from these very rows; see
            `anomalies.find_anomalies`.

    Its output is `report`, a `components.DataGateReport`.

    Example:
        >>> gate = DataGate(
        ...     anomalies=example_validator.outputs["anomalies"],
        ...     data_profile=data_profile.outputs["data_profile"],
        ...     model=live_model.outputs["model"],
        ...     settings=DataGateSettings(min_rows=1000))                                      # doctest: +SKIP
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        anomalies: BaseChannel,
        data_profile: BaseChannel,
        model: BaseChannel | None = None,
        settings: DataGateSettings,
        schema_inferred_of: ColumnSettings | None = None,
    ) -> None:
        columns = schema_inferred_of.model_dump_json() if schema_inferred_of else None
        spec = DataGateSpec(
            anomalies=anomalies,
            data_profile=data_profile,
            model=model,
            checks=settings.model_dump_json(),
            report=Channel(type=artifacts.DataGateReport),
            **({INFERRED_OF_KEY: columns} if columns else {}),
        )
        super().__init__(spec=spec)
