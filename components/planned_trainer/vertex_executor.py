"""Training in a Vertex AI custom job, while Trainer's own container waits for it.

Only imported when `[vertex.training]` asks for it: Google's clients take four seconds.
"""

from typing import Any

from tfx.extensions.google_cloud_ai_platform.trainer.executor import GenericExecutor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import MODEL_KEY, MODEL_RUN_KEY

from components.plan_properties import record_plan
from components.planned_trainer import executor


class Executor(GenericExecutor):
    """TFX's, which starts the job and waits for its end, with our executor inside the job."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains in a job.

        Args:
            input_dict: See `executor.Executor`.
            output_dict: Likewise.
            exec_properties: Likewise; `custom_config` also holds `ai_platform_training_args`, a CustomJob.

        Raises:
            RuntimeError: The job failed; its own log says why.
        """
        super().Do(input_dict, output_dict, exec_properties)
        # What the job put onto its artifacts stayed in the job.
        plan = executor.trained_plan(artifact_utils.get_single_uri(output_dict[MODEL_RUN_KEY]))
        record_plan(artifact_utils.get_single_instance(output_dict[MODEL_KEY]), plan)

    def _GetExecutorClass(self) -> type[executor.Executor]:
        return executor.Executor
