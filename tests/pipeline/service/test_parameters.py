"""Values given for a compiled pipeline's parameters."""

from typing import Any

import pytest

from pipeline.service.parameters import parse_values, read_parameters
from trainer_module.errors import UserError

PARAMETERS = read_parameters(
    {
        "root": {
            "inputDefinitions": {
                "parameters": {
                    "data_root": {"parameterType": "STRING", "defaultValue": "rows"},
                    "train_steps": {"parameterType": "NUMBER_INTEGER", "defaultValue": 0},
                    "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.1},
                    "fast": {"parameterType": "BOOLEAN", "defaultValue": False},
                    "names": {"parameterType": "LIST", "defaultValue": []},
                    "table": {"parameterType": "STRUCT", "isOptional": True},
                }
            }
        }
    }
)
# Schema 2.0 says `type`, and knows three of them.
OLD = read_parameters(
    {
        "root": {
            "inputDefinitions": {
                "parameters": {"steps": {"type": "INT"}, "rate": {"type": "DOUBLE"}, "text": {"type": "STRING"}}
            }
        }
    }
)


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("data_root=gs://rows/a=b", "data_root", "gs://rows/a=b"),
        ("data_root=7", "data_root", "7"),
        ("data_root=", "data_root", ""),
        ("train_steps=20", "train_steps", 20),
        ("train_steps=-1", "train_steps", -1),
        ("rate=5e-5", "rate", 5e-5),
        ("rate=1", "rate", 1.0),
        ("fast=true", "fast", True),
        ("fast=false", "fast", False),
        ('names=["a", 1]', "names", ["a", 1]),
        ('table={"a": [true]}', "table", {"a": [True]}),
    ],
)
def test_a_value_gets_the_type_that_the_pipeline_wants(given: str, name: str, value: Any) -> None:
    values = parse_values([given], PARAMETERS)
    assert values == {name: value}
    assert type(values[name]) is type(value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("train_steps", "--param train_steps: has no '='; write NAME=VALUE"),
        ("train_step=1", "--param train_step: the pipeline has no such parameter; did you mean 'train_steps'?"),
        ("x=1", "--param x: the pipeline has no such parameter; its parameters: data_root, fast, names, rate, table, "
                "train_steps"),
        ("=1", "--param : the pipeline has no such parameter; its parameters: data_root, fast, names, rate, table, "
               "train_steps"),
        ("train_steps=1.5", "--param train_steps: should be a whole number; given '1.5'"),
        ("train_steps=1_000", "--param train_steps: should be a whole number; given '1_000'"),
        ("train_steps=9007199254740992", "--param train_steps: should be from -9007199254740991 to 9007199254740991; "
                                         "given '9007199254740992'"),
        ("train_steps=", "--param train_steps: should be a whole number; given ''"),
        ("rate=high", "--param rate: should be a number; given 'high'"),
        ("rate=nan", "--param rate: should be a finite number; given 'nan'"),
        ("rate=-inf", "--param rate: should be a finite number; given '-inf'"),
        ("fast=yes", "--param fast: should be true or false; given 'yes'"),
        ('names={"a": 1}', "--param names: should be a list in JSON; given '{\"a\": 1}'"),
        ("table=[]", "--param table: should be an object in JSON; given '[]'"),
        ("table={a: 1}", "--param table: should be an object in JSON (Expecting property name enclosed in double "
                         "quotes: line 1 column 2 (char 1)); given '{a: 1}'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(given: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_values([given], PARAMETERS)
    assert str(refused.value) == message


def test_all_problems_come_at_once() -> None:
    with pytest.raises(UserError) as refused:
        parse_values(["rate=x", "rates=1", "fast=true", "fast=false"], PARAMETERS)
    assert refused.value.problems == [
        "--param rate: should be a number; given 'x'",
        "--param rates: the pipeline has no such parameter; did you mean 'rate'?",
        "--param fast: is given twice",
    ]


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(UserError) as refused:
        parse_values(["rate=0.1"], OLD, already={"text": "as compiled"})
    assert str(refused.value) == "--param steps: is missing: the pipeline has no default for it"
    assert parse_values(["rate=0.1", "steps=2"], OLD, already={"text": "as compiled"}) == {"rate": 0.1, "steps": 2}


def test_a_wrong_value_is_not_also_called_missing() -> None:
    with pytest.raises(UserError) as refused:
        parse_values(["steps=x"], OLD, already={"text": "", "rate": 1.0})
    assert str(refused.value) == "--param steps: should be a whole number; given 'x'"


def test_a_pipeline_without_parameters() -> None:
    assert read_parameters({"root": {"dag": {}}}) == {}
    with pytest.raises(UserError, match="no such parameter; it takes none"):
        parse_values(["a=1"], {})
