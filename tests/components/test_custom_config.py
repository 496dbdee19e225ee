"""`custom_config` arrives as it was sent, and what a runtime parameter gets wrong is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from tfx.orchestration.data_types import RuntimeParameter

from components.custom_config import pack_custom_config, read_settings, unpack_custom_config
from pipeline.config_file import load_config
from trainer_module.errors import UserError
from trainer_module.settings import BertSettings

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


BERT = {"hub": "models/bert", "text": ["a"], "label": "b", "freeze": [{"freeze": "all"}], "epochs": 2, "batch_size": 8}


def settings(**parameters: Any) -> BertSettings:
    return read_settings({"custom_config": json.dumps({"bert": BERT}), **parameters})


def refused(**parameters: Any) -> list[str]:
    with pytest.raises(UserError) as caught:
        settings(**parameters)
    return caught.value.problems


def test_without_runtime_parameters_the_settings_are_those_of_the_config() -> None:
    assert settings() == BertSettings.model_validate(BERT)
    assert settings().to_custom_config() == {"bert": BERT}


def test_freeze_replaces_the_configs_rules() -> None:
    assert [str(rule) for rule in settings(freeze='["freeze embeddings", {"train": "bias"}]').freeze] == [
        "freeze embeddings",
        "train bias",
    ]
    assert settings(freeze="[]").freeze == []


def test_train_goes_before_the_config_and_train_steps_before_both() -> None:
    changed = settings(train='{"epochs": 5, "learning_rate": 1}', train_steps=0)
    assert changed.to_custom_config() == {"bert": BERT | {"epochs": 5, "learning_rate": 1.0}}
    assert settings(train='{"steps": 7}', train_steps=0).steps == 7
    assert settings(train='{"steps": 7}', train_steps=3).steps == 3
    assert settings(train="{}", train_steps=3).batch_size == 8


def test_a_run_may_start_from_the_hub_but_from_the_live_model_only_where_the_pipeline_looks_for_it() -> None:
    live = BERT | {"start_from": "live"}
    compiled = {"custom_config": json.dumps({"bert": live}), "train": '{"start_from": "hub"}'}
    assert read_settings(compiled).start_from == "hub"
    assert read_settings(compiled | {"train": '{"start_from": "live"}'}).start_from == "live"
    assert refused(train='{"start_from": "live"}') == [
        'train.start_from: the pipeline was compiled without it; compile it with start_from = "live"'
    ]


def test_a_rule_that_cannot_be_read_is_told_as_locally(tmp_path: Path) -> None:
    rules = ['[{"freze": "all"}, {"freeze": "encoder["}]', "{", '"all"', "[1]"]
    config = tmp_path / "config.toml"
    config.write_text(
        '[pipeline]\nname = "a"\nroot = "r"\n[data]\ntrain = "t"\ntext = ["a"]\nlabel = "b"\n[model]\nhub = "h"\n'
    )
    for text in rules:
        with pytest.raises(UserError) as caught:
            load_config(config, [f"model.freeze='{text}'"])
        assert refused(freeze=text) == caught.value.problems
        assert all(line.startswith("model.freeze: ") for line in caught.value.problems)


def test_json_that_cannot_be_read_names_the_parameter() -> None:
    assert refused(freeze="[{]") == [
        "model.freeze: is not valid JSON: Expecting property name enclosed in double quotes: line 1 column 3 (char 2); "
        'write a list of rules such as [{"freeze": "embeddings"}, {"freeze": "encoder[:3]"}]'
    ]
    assert refused(train="epochs=3") == [
        'train: is not valid JSON: Expecting value: line 1 column 1 (char 0); write an object such as {"epochs": 3}'
    ]
    assert refused(train="[3]") == ["train: must be a JSON object such as {\"epochs\": 3}; given '[3]'"]


def test_all_problems_come_at_once() -> None:
    assert refused(freeze="[1]", train='{"epochs": 0, "epoch": 1, "seed": "7"}', train_steps=-1) == [
        'model.freeze: rule 1 `1`: is not a rule; write {"freeze": SELECTOR} or {"train": SELECTOR}',
        "train.epochs: should be greater than or equal to 1; given 0",
        "train.seed: should be a valid integer; given '7'",
        "train.epoch: is not a known key; did you mean 'epochs'?",
        "train_steps: must be 0 (as the config says) or a number of steps; given -1",
    ]
