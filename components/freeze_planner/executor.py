"""What FreezePlanner does when it runs."""

from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from components.custom_config import read_settings
from components.evaluator.thresholds import THRESHOLDS_KEY, read_thresholds
from components.freeze_planner.plan_files import write_plan
from components.plan_channel import FREEZE_PLAN_KEY
from components.plan_properties import record_plan
from trainer_module.preflight import plan_run


class Executor(base_executor.BaseExecutor):
    """Reads the model's variables and plans; runs nothing of the encoder."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the plan, or nothing.

        Args:
            input_dict: Empty.
            output_dict: `freeze_plan`.
            exec_properties: Those that `custom_config.read_settings` reads; and `thresholds`.

        Raises:
            UserError: The settings, the thresholds, the model, a freeze rule or the tokenizer are wrong.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = read_settings(exec_properties)
        if exec_properties.get(THRESHOLDS_KEY) is not None:
            read_thresholds(exec_properties[THRESHOLDS_KEY], settings.task)
        plan = plan_run(settings)
        artifact = artifact_utils.get_single_instance(output_dict[FREEZE_PLAN_KEY])
        write_plan(plan, artifact.uri)
        record_plan(artifact, plan)
