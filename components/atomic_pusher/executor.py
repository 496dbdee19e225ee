"""What AtomicPusher does when it runs."""

import logging
from typing import Any

from tfx.components.pusher.executor import Executor as StockExecutor
from tfx.components.util import model_utils
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import (
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    PUSH_DESTINATION_KEY,
    PUSHED_MODEL_KEY,
)
from tfx.utils import proto_utils

from components.artifact_properties import MODEL_FILES, MODEL_ID, REASON, WITHDRAWN
from components.atomic_pusher.archive import archive
from components.atomic_pusher.model_files import files_to_json
from components.atomic_pusher.push import push

KEEP_VERSIONS_KEY = "keep_versions"

_log = logging.getLogger("permafrost.push")


class Executor(StockExecutor):
    """Pushes the model, or says why not."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes.

        Args:
            input_dict: `model`, and `model_blessing`, `infra_blessing`, `live_push` where there are any.
            output_dict: `pushed_model`.
            exec_properties: `push_destination`, and `keep_versions` where given.

        Raises:
            UserError: The serving folder can't take the model; it is as it was.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL_KEY])
        reason = self._reason_against(input_dict)
        if reason:
            _log.warning("nothing is pushed: %s", reason)
            pushed_model.set_string_custom_property(REASON, reason)
            self._MarkNotPushed(pushed_model)
            return
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        model_dir = self.GetModelPath(input_dict)
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[PUSH_DESTINATION_KEY], destination)
        # First, so that what can fail has failed when the model goes live.
        archive(model_dir, pushed_model.uri)
        pushed = push(
            model_dir,
            destination.filesystem.base_directory,
            model_uri=model.uri,
            model_id=model.id,
            keep_versions=exec_properties.get(KEEP_VERSIONS_KEY),
        )
        pushed_model.set_int_custom_property(MODEL_ID, model.id)
        # `permafrost rollback` goes by it: what it makes live again must be what was pushed.
        pushed_model.set_string_custom_property(MODEL_FILES, files_to_json(pushed.files))
        self._MarkPushed(pushed_model, pushed_destination=pushed.path, pushed_version=str(pushed.version))

    def _reason_against(self, input_dict: dict[str, list[Artifact]]) -> str:
        """Why the model must not be pushed; empty: it may."""
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        if model.get_int_custom_property(WITHDRAWN):
            return f"this model (artifact {model.id}) was withdrawn by a rollback, and is never pushed again"
        if self.CheckBlessing(input_dict):
            return ""
        blessing = input_dict.get(MODEL_BLESSING_KEY)
        if blessing and not model_utils.is_model_blessed(artifact_utils.get_single_instance(blessing)):
            return "Evaluator didn't bless the model"
        withheld = artifact_utils.get_single_instance(input_dict[INFRA_BLESSING_KEY])
        return withheld.get_string_custom_property(REASON) or "its InfraBlessing was withheld"
