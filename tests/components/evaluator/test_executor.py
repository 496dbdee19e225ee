"""Evaluator's thresholds are those of the run, where the run has its own."""

import json
from typing import Any

import pytest
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator.executor import Executor
from tfx.utils import proto_utils

from components.evaluator.executor import UnconvertedExecutor
from pipeline.config import PipelineConfig
from pipeline.eval_config import make_eval_config
from trainer_module.errors import UserError


def eval_config(thresholds: dict[str, Any], task: str = "classification") -> config_pb2.EvalConfig:
    return make_eval_config(
        PipelineConfig.model_validate(
            {
                "pipeline": {"name": "mine", "root": "run"},
                "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
                "model": {"hub": "model", "task": task},
                "evaluate": {"thresholds": thresholds, "slices": [["city"]]},
            }
        )
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The execution properties with which TFX's executor was called."""
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(Executor, "Do", lambda self, inputs, outputs, properties: seen.append(properties))
    return seen


@pytest.mark.parametrize(
    ("task", "of_config", "of_run"),
    [
        ("classification", {"accuracy": {"at_least": 0.9}}, {"macro_f1": {"at_least": 0.5}, "loss": {"at_most": 2.0}}),
        ("regression", {"mse": {"at_most": 1.0}}, {"mae": {"no_worse_than_live_by": 0.1}}),
    ],
)
def test_the_runs_thresholds_replace_the_configs(
    measured: list[dict[str, Any]], task: str, of_config: dict[str, Any], of_run: dict[str, Any]
):
    properties = {"eval_config": proto_utils.proto_to_json(eval_config(of_config, task)), "example_splits": "null"}
    UnconvertedExecutor().Do({}, {}, properties | {"thresholds": json.dumps(of_run)})
    (given,) = measured
    assert proto_utils.json_to_proto(given["eval_config"], config_pb2.EvalConfig()) == eval_config(of_run, task)
    assert given["example_splits"] == "null"


def test_without_thresholds_of_its_own_the_config_stays_as_it_is(measured: list[dict[str, Any]]):
    properties = {"eval_config": proto_utils.proto_to_json(eval_config({"accuracy": {"at_least": 0.9}}))}
    UnconvertedExecutor().Do({}, {}, properties)
    assert measured == [properties]


def test_wrong_thresholds_end_it_before_it_measures(measured: list[dict[str, Any]]):
    properties = {"eval_config": proto_utils.proto_to_json(eval_config({})), "thresholds": '{"mse": {"at_most": 1}}'}
    with pytest.raises(UserError, match=r"^evaluate\.thresholds\.mse: is not a known metric of classification"):
        UnconvertedExecutor().Do({}, {}, properties)
    assert measured == []
