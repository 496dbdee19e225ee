"""`custom_config` arrives as it was sent, and what a runtime parameter gets wrong is told."""

import json

import pytest
from tfx.orchestration.data_types import RuntimeParameter

from components.custom_config import pack_custom_config, unpack_custom_config
from trainer_module.errors import UserError

CONFIG = {"bert": {"hub": "models/bert", "text": ["a"], "learning_rate": 5e-5}, "other": None}


def test_a_config_arrives_as_it_was_sent() -> None:
    packed = pack_custom_config(CONFIG)
    assert isinstance(packed, str)
    assert json.loads(packed) == CONFIG
    assert unpack_custom_config({"custom_config": packed}) == CONFIG


def test_a_runtime_parameter_is_passed_on() -> None:
    parameter = RuntimeParameter(name="bert", ptype=str)
    assert pack_custom_config(parameter) is parameter


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(UserError, match=r'^custom_config: is not valid JSON: .* column 2.*; write \{"bert": \{…\}\}$'):
        unpack_custom_config({"custom_config": "{bert: 1}"})


@pytest.mark.parametrize("text", ["[1]", "null", '"bert"'])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        unpack_custom_config({"custom_config": text})
    assert str(caught.value) == f'custom_config: must be a JSON object such as {{"bert": {{…}}}}; given {text!r}'
