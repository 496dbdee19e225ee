"""`custom_config` on its way from a pipeline's definition to an executor, the way TFX's own Trainer sends it."""

import json
from collections.abc import Mapping
from typing import Any

from tfx.orchestration.data_types import RuntimeParameter
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY
from tfx.utils import json_utils

from trainer_module.errors import UserError


def pack_custom_config(custom_config: Mapping[str, Any] | RuntimeParameter) -> str | RuntimeParameter:
    """The execution property: JSON text, or a runtime parameter that will hold such text."""
    return custom_config if isinstance(custom_config, RuntimeParameter) else json_utils.dumps(dict(custom_config))


def unpack_custom_config(exec_properties: Mapping[str, Any]) -> dict[str, Any]:
    """What an executor was given.

    Raises:
        UserError: The text isn't a JSON object; only a runtime parameter can bring that about.
    """
    text = exec_properties[CUSTOM_CONFIG_KEY]
    try:
        custom_config = json_utils.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f'custom_config: is not valid JSON: {error}; write {{"bert": {{…}}}}') from None
    if not isinstance(custom_config, dict):
        raise UserError(f'custom_config: must be a JSON object such as {{"bert": {{…}}}}; given {text!r}')
    return custom_config
