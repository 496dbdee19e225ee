"""PlannedTrainer as a pipeline gets it."""

import json

import pytest
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import trainer_pb2
from tfx.types import Channel, standard_artifacts

from components.artifacts import FreezePlan
from components.planned_trainer.component import PlannedTrainer

CONFIG = {"bert": {"hub": "models/bert", "text": ["a"], "label": "b"}}


def channels() -> dict[str, Channel]:
    return {
        "examples": Channel(type=standard_artifacts.Examples),
        "transform_graph": Channel(type=standard_artifacts.TransformGraph),
        "freeze_plan": Channel(type=FreezePlan),
    }


def test_it_is_the_stock_trainer_with_a_plan_among_its_inputs() -> None:
    args = trainer_pb2.TrainArgs(splits=["train"], num_steps=7)
    schema = Channel(type=standard_artifacts.Schema)
    trainer = PlannedTrainer(**channels(), schema=schema, train_args=args, custom_config=CONFIG)
    assert {name: channel.type for name, channel in trainer.inputs.items()} == {
        "examples": standard_artifacts.Examples,
        "transform_graph": standard_artifacts.TransformGraph,
        "schema": standard_artifacts.Schema,
        "freeze_plan": FreezePlan,
    }
    assert {name: channel.type for name, channel in trainer.outputs.items()} == {
        "model": standard_artifacts.Model,
        "model_run": standard_artifacts.ModelRun,
    }
    properties = trainer.exec_properties
    assert properties["run_fn"] == "trainer_module.run_fn"
    assert json.loads(properties["custom_config"]) == CONFIG
    assert json.loads(properties["train_args"]) == {"splits": ["train"], "num_steps": 7}
    assert json.loads(properties["eval_args"]) == {}


def test_a_live_model_to_start_from_is_an_input_where_it_is_given() -> None:
    live = Channel(type=standard_artifacts.Model)
    assert PlannedTrainer(**channels(), base_model=live, custom_config=CONFIG).inputs["base_model"] is live


def test_the_settings_may_be_a_runtime_parameter() -> None:
    parameter = RuntimeParameter(name="bert", ptype=str)
    trainer = PlannedTrainer(**channels(), custom_config=parameter)
    assert trainer.exec_properties["custom_config"] is parameter


def test_something_else_than_a_plan_is_refused() -> None:
    wrong = channels() | {"freeze_plan": Channel(type=standard_artifacts.ModelRun)}
    with pytest.raises(TypeError, match=r"^Argument freeze_plan should be a Channel of type .*FreezePlan"):
        PlannedTrainer(**wrong, custom_config=CONFIG)
