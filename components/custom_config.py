"""Settings on their way from a pipeline's definition to an executor: `custom_config`, as TFX's own Trainer gets it, and
beside it what a run may say instead, as runtime parameters.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types.component_spec import ExecutionParameter
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY
from tfx.utils import json_utils

from components.json_parameters import read_object
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_rules import parse_rules
from trainer_module.settings import BertSettings, TrainSettings
from trainer_module.validation import describe_validation_error

FREEZE_KEY = "freeze"
TRAIN_KEY = "train"
TRAIN_STEPS_KEY = "train_steps"

SETTINGS_PARAMETERS = {
    CUSTOM_CONFIG_KEY: ExecutionParameter(type=str),
    FREEZE_KEY: ExecutionParameter(type=str, optional=True),
    TRAIN_KEY: ExecutionParameter(type=str, optional=True),
    TRAIN_STEPS_KEY: ExecutionParameter(type=int, optional=True),
}
"""The execution properties that `read_settings` reads, for a component's spec."""


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


def read_settings(exec_properties: Mapping[str, Any]) -> BertSettings:
    """The settings of this run: those of `custom_config`, with what the runtime parameters say in their place.

    Args:
        exec_properties: `custom_config`, and where the pipeline was made with runtime parameters: `freeze` (JSON, a
            list of rules that replaces the config's), `train` (JSON, an object of settings that go before the
            config's) and `train_steps` (a number that goes before both; 0: as they say).

    Raises:
        UserError: Names every problem, in the words in which a config's problems are told.
    """
    settings = BertSettings.from_custom_config(unpack_custom_config(exec_properties))
    changes: dict[str, Any] = {}
    problems: list[str] = []
    for read in (_freeze, _train, _train_steps):
        try:
            changes |= read(exec_properties)
        except UserError as error:
            problems += error.problems
    if settings.start_from == "hub" and changes.get("start_from") == "live":
        problems.append('train.start_from: the pipeline was compiled without it; compile it with start_from = "live"')
    if problems:
        raise UserError(problems)
    return BertSettings.model_validate(settings.model_dump(exclude_unset=True) | changes) if changes else settings


def _freeze(exec_properties: Mapping[str, Any]) -> dict[str, Any]:
    text = exec_properties.get(FREEZE_KEY)
    if text is None:
        return {}
    try:
        return {"freeze": parse_rules(text)}
    except ValueError as error:
        raise UserError([f"model.freeze: {line}" for line in str(error).splitlines()]) from None


def _train(exec_properties: Mapping[str, Any]) -> dict[str, Any]:
    text = exec_properties.get(TRAIN_KEY)
    if text is None:
        return {}
    given = read_object("train", text, '{"epochs": 3}')
    try:
        TrainSettings.model_validate(given, strict=True)
    except ValidationError as error:
        raise UserError(describe_validation_error(error, TrainSettings, prefix="train")) from None
    return given


def _train_steps(exec_properties: Mapping[str, Any]) -> dict[str, Any]:
    steps = exec_properties.get(TRAIN_STEPS_KEY) or 0
    if steps < 0:
        raise UserError(f"train_steps: must be 0 (as the config says) or a number of steps; given {steps}")
    return {"steps": steps} if steps else {}
