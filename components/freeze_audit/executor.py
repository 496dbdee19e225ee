"""What FreezeAudit does when it runs."""

import logging
import os
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import BLESSING_KEY, MODEL_KEY, MODEL_RUN_KEY
from tfx.utils import path_utils

from components.custom_config import unpack_custom_config
from components.freeze_audit.audit_files import record_audit, write_audit
from components.infra_blessing import write_blessing
from components.plan_channel import FREEZE_PLAN_KEY, plan_file
from trainer_module.audit.freeze_audit import audit
from trainer_module.audit.variable_record import RECORD_FILE, TrainingRecord
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings

AUDIT_KEY = "audit"

_log = logging.getLogger("permafrost.audit")


class Executor(base_executor.BaseExecutor):
    """Reads both models; runs neither."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Audits, and gives or withholds the blessing.

        Args:
            input_dict: `model`, `freeze_plan`, and `model_run` where wanted.
            output_dict: `blessing` and `audit`.
            exec_properties: `custom_config`.

        Raises:
            UserError: The settings are wrong, or the Hub model or the Trainer's record can't be read.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = BertSettings.from_custom_config(unpack_custom_config(exec_properties))
        # Without the pin: that the Hub model has changed is for the audit to say, along with all else that is wrong.
        hub_model = HubModel.from_settings(settings.model_copy(update={"hub_digest": None}))
        plan = FreezePlan.from_json(_read(plan_file(artifact_utils.get_single_uri(input_dict[FREEZE_PLAN_KEY]))))
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        model_dir = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
        record = audit(model_dir, plan, hub_model, _training_record(input_dict))
        for problem in record.problems:
            _log.error("freeze audit: %s", problem)

        artifact = artifact_utils.get_single_instance(output_dict[AUDIT_KEY])
        write_audit(record, artifact.uri)
        record_audit(artifact, record)
        write_blessing(artifact_utils.get_single_instance(output_dict[BLESSING_KEY]), record.problems)


def _training_record(input_dict: dict[str, list[Artifact]]) -> TrainingRecord | None:
    if not input_dict.get(MODEL_RUN_KEY):
        return None
    file = os.path.join(artifact_utils.get_single_uri(input_dict[MODEL_RUN_KEY]), RECORD_FILE)
    if not fileio.exists(file):
        raise UserError(
            f"model_run: there is no {file}; give FreezeAudit the `model_run` of a Trainer with "
            'run_fn="trainer_module.run_fn", or none'
        )
    return TrainingRecord.from_json(_read(file))


def _read(file: str) -> str:
    with fileio.open(file) as stream:
        return str(stream.read())
