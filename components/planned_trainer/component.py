"""PlannedTrainer: TFX's Trainer with a freeze plan among its inputs."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.standard_component_specs import TrainerSpec

from components.artifacts import DataProfile, FreezePlan
from components.custom_config import SETTINGS_PARAMETERS, pack_custom_config
from components.data_profile.executor import PROFILE_KEY
from components.plan_channel import FREEZE_PLAN_KEY
from components.planned_trainer.executor import Executor


class PlannedTrainerSpec(TrainerSpec):
    """The stock Trainer's, the plan, and settings that are known when it runs."""

    PARAMETERS = TrainerSpec.PARAMETERS | SETTINGS_PARAMETERS
    INPUTS = TrainerSpec.INPUTS | {
        FREEZE_PLAN_KEY: ChannelParameter(type=FreezePlan),
        PROFILE_KEY: ChannelParameter(type=DataProfile, optional=True),
    }


class PlannedTrainer(base_component.BaseComponent):
    """Trains by the plan that FreezePlanner made, and by no other.

    The stock Trainer has no input for it. What it does more: `run_fn` is told where the plan is
    (`BertSettings.freeze_plan`) and refuses when the rules or the Hub model aren't those that were planned; and the
    plan's digest and counts are put onto the Model artifact (see `plan_properties.record_plan`).

    Args:
        examples: Transformed `Examples`, with the splits `train` and `eval`.
        freeze_plan: FreezePlanner's output.
        transform_graph: `TransformGraph`.
        schema: `Schema`.
        data_profile: DataProfile's, which then travels with the model: `DataGate` reads it there in later runs.
        base_model: The live `Model`, or an empty channel while there is none; only where `start_from` is `live`, as
            TFX's cache takes the Trainer with another one for another training.
        train_args: Splits and steps.
        eval_args: Splits.
        custom_config: What FreezePlanner got: settings under `bert`; or a runtime parameter with JSON text.
        parameters: Runtime parameters, as FreezePlanner got them: those of `custom_config.SETTINGS_PARAMETERS`.
        executor: Default: trains where the component runs. `vertex_executor.Executor` trains in a Vertex custom job.

    Its outputs are the stock Trainer's: `model` and `model_run`.
    """

    SPEC_CLASS = PlannedTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        examples: BaseChannel,
        freeze_plan: BaseChannel,
        transform_graph: BaseChannel,
        schema: BaseChannel | None = None,
        data_profile: BaseChannel | None = None,
        base_model: BaseChannel | None = None,
        train_args: trainer_pb2.TrainArgs | None = None,
        eval_args: trainer_pb2.EvalArgs | None = None,
        custom_config: Mapping[str, Any] | RuntimeParameter,
        parameters: Mapping[str, RuntimeParameter] | None = None,
        executor: type[base_executor.BaseExecutor] = Executor,
    ) -> None:
        # Trainer.__init__ makes a spec of its own class, which has no place for the plan: hence no subclass of it.
        spec = PlannedTrainerSpec(
            examples=examples,
            freeze_plan=freeze_plan,
            transform_graph=transform_graph,
            schema=schema,
            data_profile=data_profile,
            base_model=base_model,
            run_fn="trainer_module.run_fn",
            train_args=train_args or trainer_pb2.TrainArgs(),
            eval_args=eval_args or trainer_pb2.EvalArgs(),
            custom_config=pack_custom_config(custom_config),
            model=Channel(type=standard_artifacts.Model),
            model_run=Channel(type=standard_artifacts.ModelRun),
            **(parameters or {}),
        )
        super().__init__(spec=spec, custom_executor_spec=executor_spec.ExecutorClassSpec(executor))
