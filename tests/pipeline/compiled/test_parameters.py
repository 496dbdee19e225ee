"""Runtime parameters: where their values come from, and their types."""

from typing import Any

import pytest

from pipeline.compiled.parameters import runtime_parameters, typed_value
from trainer_module.errors import UserError

Job = Any
"""`conftest.JobBuilder`, which can't be imported by its name."""


def values(job: Job, *overrides: str) -> dict[str, Any]:
    return runtime_parameters(job.load(), overrides)


def problems(job: Job, *overrides: str) -> list[str]:
    with pytest.raises(UserError) as error:
        values(job, *overrides)
    return error.value.problems


def test_an_override_counts_more_than_the_job_and_the_job_more_than_the_default(job: Job) -> None:
    for name in ("a", "b", "c"):
        job.parameter(name, defaultValue="default")
    job.content["runtimeConfig"]["parameterValues"] = {"b": "job", "c": "job"}
    assert values(job, "c=override") == {"a": "default", "b": "job", "c": "override"}


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("STRING", "", ""),
        ("STRING", "a=b", "a=b"),
        ("STRING", '[{"freeze": "all"}]', '[{"freeze": "all"}]'),
        ("STRING", "3", "3"),
        ("NUMBER_INTEGER", "-3", -3),
        ("NUMBER_DOUBLE", "3", 3.0),
        ("NUMBER_DOUBLE", "1e-3", 0.001),
        ("BOOLEAN", "true", True),
        ("BOOLEAN", "False", False),
        ("LIST", "[1, 2]", [1, 2]),
        ("STRUCT", '{"a": 1}', {"a": 1}),
    ],
)
def test_a_text_is_read_as_the_type_that_the_spec_says(job: Job, kind: str, text: str, expected: Any) -> None:
    job.parameter("p", kind)
    (value,) = values(job, f"p={text}").values()
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("NUMBER_INTEGER", "3.5", "should be an integer; given '3.5'"),
        ("NUMBER_INTEGER", "", "should be an integer; given ''"),
        ("NUMBER_INTEGER", "9007199254740992",
         "should be from -9007199254740991 to 9007199254740991; given 9007199254740992"),
        ("NUMBER_DOUBLE", "a", "should be a number; given 'a'"),
        ("NUMBER_DOUBLE", "nan", "should be a number; given 'nan'"),
        ("BOOLEAN", "yes", "should be true or false; given 'yes'"),
        ("LIST", '{"a": 1}', "should be a JSON list; given '{\"a\": 1}'"),
        ("LIST", "[", "should be a JSON list; given '['"),
        ("STRUCT", "[]", "should be a JSON object; given '[]'"),
    ],
)  # fmt: skip
def test_a_text_of_another_type_is_refused(job: Job, kind: str, text: str, expected: str) -> None:
    job.parameter("p", kind)
    assert problems(job, f"p={text}") == [f"--param p: {expected}"]


@pytest.mark.parametrize("value", [3.5, "3", True, None, [3]])
def test_a_value_of_another_type_in_the_job_is_refused(job: Job, value: Any) -> None:
    job.parameter("p", "NUMBER_INTEGER")
    job.content["runtimeConfig"]["parameterValues"] = {"p": value}
    (problem,) = problems(job)
    assert problem.startswith("parameter p: should be an integer; given ")


def test_schema_2_0_has_other_names_for_types(job: Job) -> None:
    job.spec["root"]["inputDefinitions"]["parameters"] = {
        name: {"type": kind} for name, kind in (("i", "INT"), ("d", "DOUBLE"), ("s", "STRING"))
    }
    assert values(job, "i=3", "d=3", "s=3") == {"i": 3, "d": 3.0, "s": "3"}


def test_all_that_is_wrong_at_once(job: Job) -> None:
    job.parameter("train_steps", "NUMBER_INTEGER", defaultValue=0)
    job.parameter("freeze")
    job.content["runtimeConfig"]["parameterValues"] = {"other": 1}
    assert problems(job, "train_step=3", "oops", "train_steps=x") == [
        "--param oops: write NAME=VALUE",
        "--param train_step: the pipeline has no such parameter; did you mean 'train_steps'?",
        "runtimeConfig.other: the pipeline has no such parameter; it has freeze, train_steps",
        "parameter freeze: is missing; give --param freeze=VALUE (a text)",
        "--param train_steps: should be an integer; given 'x'",
    ]


def test_a_pipeline_without_parameters(job: Job) -> None:
    assert values(job) == {}
    assert problems(job, "a=1") == ["--param a: the pipeline has no such parameter; it has none at all"]


def test_an_optional_parameter_may_be_left_out(job: Job) -> None:
    job.parameter("p", "LIST", isOptional=True)
    assert values(job) == {}


def test_json_does_not_tell_integers_from_doubles() -> None:
    assert type(typed_value("NUMBER_INTEGER", 3.0)) is int
    assert type(typed_value("NUMBER_DOUBLE", 3)) is float
