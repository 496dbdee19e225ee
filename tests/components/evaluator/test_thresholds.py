"""Thresholds given as a runtime parameter are read, and refused, as those of a config are."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.evaluator.thresholds import Threshold, default_thresholds, read_thresholds
from pipeline.config import PipelineConfig
from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error


def refused(text: str, task: str = "classification") -> list[str]:
    with pytest.raises(UserError) as caught:
        read_thresholds(text, task)
    return caught.value.problems


def refused_in_a_config(thresholds: Any, task: str = "classification") -> list[str]:
    config = {
        "pipeline": {"name": "mine", "root": "run"},
        "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
        "model": {"hub": "model", "task": task},
        "evaluate": {"thresholds": thresholds},
    }
    with pytest.raises(ValidationError) as caught:
        PipelineConfig.model_validate(config, strict=True)
    return describe_validation_error(caught.value, PipelineConfig)


def test_thresholds_are_read():
    assert read_thresholds('{"accuracy": {"at_least": 0.9}, "loss": {"at_most": 1}}', "classification") == {
        "accuracy": Threshold(at_least=0.9),
        "loss": Threshold(at_most=1.0),
    }


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_none_at_all_means_the_default(task: str):
    assert read_thresholds("{}", task) == default_thresholds(task)


@pytest.mark.parametrize(
    ("thresholds", "task"),
    [
        ({"f1": {"at_least": 0.5}}, "classification"),
        ({"accuracy": {"at_least": 0.5}}, "regression"),
        ({"accuracy": {"at_most": 0.5}}, "classification"),
        ({"accuracy": {"at_least": 86}}, "classification"),
        ({"accuracy": {"at_least": "0.5"}}, "classification"),
        ({"accuracy": {"at_leest": 0.5}}, "classification"),
        ({"accuracy": {}, "loss": 0.5, "mse": {"at_least": 1}}, "classification"),
    ],
)
def test_problems_are_told_as_those_of_a_config(thresholds: Any, task: str):
    problems = refused(json.dumps(thresholds), task)
    assert problems == refused_in_a_config(thresholds, task)
    assert all(problem.startswith("evaluate.thresholds.") for problem in problems)


def test_what_is_no_json_object():
    example = '{"accuracy": {"at_least": 0.9}}'
    assert refused("{accuracy: 1}") == [
        "evaluate.thresholds: is not valid JSON: Expecting property name enclosed in double quotes: "
        f"line 1 column 2 (char 1); write an object such as {example}"
    ]
    assert refused("[0.9]") == [f"evaluate.thresholds: must be a JSON object such as {example}; given '[0.9]'"]
