"""What FreezePlanner does when it runs."""

from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from components.custom_config import unpack_custom_config
from components.freeze_planner.plan_files import write_plan
from components.plan_channel import FREEZE_PLAN_KEY
from components.plan_properties import record_plan
from trainer_module.preflight import plan_run
from trainer_module.settings import BertSettings


class Executor(base_executor.BaseExecutor):
    """Reads the model's variables and plans; runs nothing of the model."""

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
            exec_properties: `custom_config`.

        Raises:
            UserError: The settings, the model, a freeze rule or the tokenizer are wrong.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = BertSettings.from_custom_config(unpack_custom_config(exec_properties))
        plan = plan_run(settings)
        artifact = artifact_utils.get_single_instance(output_dict[FREEZE_PLAN_KEY])
        write_plan(plan, artifact.uri)
        record_plan(artifact, plan)
