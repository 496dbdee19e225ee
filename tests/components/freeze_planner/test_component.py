"""FreezePlanner as a pipeline gets it."""

import json

from tfx.orchestration.data_types import RuntimeParameter

from components.artifacts import FreezePlan
from components.freeze_planner.component import FreezePlanner

CONFIG = {"bert": {"hub": "models/bert", "text": ["a"], "label": "b"}}


def test_it_takes_the_trainers_settings_and_gives_a_plan() -> None:
    planner = FreezePlanner(custom_config=CONFIG)
    assert planner.id == "FreezePlanner"
    assert planner.inputs == {}
    assert {name: channel.type for name, channel in planner.outputs.items()} == {"freeze_plan": FreezePlan}
    assert json.loads(planner.exec_properties["custom_config"]) == CONFIG


def test_the_settings_may_be_a_runtime_parameter() -> None:
    parameter = RuntimeParameter(name="bert", ptype=str)
    assert FreezePlanner(custom_config=parameter).exec_properties == {"custom_config": parameter}


def test_runtime_parameters_stand_beside_the_settings() -> None:
    parameters = {name: RuntimeParameter(name=name, ptype=str) for name in ("freeze", "train", "thresholds")}
    parameters["train_steps"] = RuntimeParameter(name="train_steps", ptype=int)
    planner = FreezePlanner(custom_config=CONFIG, parameters=parameters)
    assert {name: value for name, value in planner.exec_properties.items() if name != "custom_config"} == parameters
