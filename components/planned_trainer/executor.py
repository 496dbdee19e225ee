"""What PlannedTrainer does around the stock Trainer's work."""

import os
from typing import Any

from tfx.components.trainer.executor import GenericExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY, MODEL_KEY, MODEL_RUN_KEY
from tfx.utils import path_utils

from components.custom_config import pack_custom_config, read_settings, unpack_custom_config
from components.data_profile.executor import PROFILE_KEY
from components.data_profile.profile import profile_file, profile_in_model
from components.plan_channel import FREEZE_PLAN_KEY, plan_file
from components.plan_properties import record_plan
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.trainer import PLAN_FILE


class Executor(GenericExecutor):
    """Tells `run_fn` where the plan is, and ML Metadata by which plan the model was trained."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains.

        Args:
            input_dict: The stock Trainer's, `freeze_plan`, and `data_profile` where it is to travel with the model.
            output_dict: `model` and `model_run`.
            exec_properties: The stock Trainer's, and those that `custom_config.read_settings` reads. They stay as they
                are: the plan's path, which differs from run to run, would keep the Trainer from ever being taken from
                TFX's cache.

        Raises:
            UserError: The settings, the model or a freeze rule are wrong, or not what was planned.
        """
        settings = read_settings(exec_properties)
        plan = plan_file(artifact_utils.get_single_uri(input_dict[FREEZE_PLAN_KEY]))
        planned = settings.model_copy(update={"freeze_plan": plan}).to_custom_config()
        with_plan = {CUSTOM_CONFIG_KEY: pack_custom_config(unpack_custom_config(exec_properties) | planned)}
        super().Do(input_dict, output_dict, exec_properties | with_plan)

        if input_dict.get(PROFILE_KEY):
            model = artifact_utils.get_single_uri(output_dict[MODEL_KEY])
            _copy_profile(artifact_utils.get_single_uri(input_dict[PROFILE_KEY]), model)
        plan_trained_by = trained_plan(artifact_utils.get_single_uri(output_dict[MODEL_RUN_KEY]))
        record_plan(artifact_utils.get_single_instance(output_dict[MODEL_KEY]), plan_trained_by)


def _copy_profile(profile: str, model: str) -> None:
    file = profile_in_model(path_utils.serving_model_dir(model))
    fileio.makedirs(os.path.dirname(file))
    fileio.copy(profile_file(profile), file, overwrite=True)


def trained_plan(model_run: str) -> FreezePlan:
    """The plan by which a model was trained, from the folder of its `model_run`."""
    with fileio.open(os.path.join(model_run, PLAN_FILE)) as stream:
        return FreezePlan.from_json(stream.read())
