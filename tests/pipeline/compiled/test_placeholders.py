"""What placeholders stand for."""

import json
from pathlib import Path

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.placeholders import NotThere, Placeholders
from trainer_module.errors import UserError


@pytest.fixture
def message(tmp_path: Path) -> pb.ExecutorInput:
    (tmp_path / "text").write_text("content")
    model = {
        "name": "mine/1/Trainer/model",
        "uri": "/model",
        "metadata": {"steps": 3, "share": 0.5, "hub": "x", "list": [1]},
    }
    content = {
        "inputs": {
            "artifacts": {
                "model": {"artifacts": [model]},
                "text": {"artifacts": [{"uri": str(tmp_path / "text")}]},
                "none": {"artifacts": []},
            },
            "parameterValues": {
                "text": "a b",
                "steps": 3,
                "rate": 0.25,
                "flag": True,
                "list": [1, "a"],
                "odd": "{{$}}",
            },
        },
        "outputs": {
            "artifacts": {"out": {"artifacts": [{"uri": "/out", "name": "o"}]}},
            "parameters": {"p": {"outputFile": "/file/p"}},
            "outputFile": "/executor_output.json",
        },
    }
    return json_format.ParseDict(content, pb.ExecutorInput())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no placeholder, {{$ either", "no placeholder, {{$ either"),
        ("{{$.inputs.parameters['text']}}", "a b"),
        ("--steps={{$.inputs.parameters['steps']}}, {{$.inputs.parameters['rate']}}", "--steps=3, 0.25"),
        ("{{$.inputs.parameters['flag']}} {{$.inputs.parameters['list']}}", 'true [1, "a"]'),
        ("{{$.inputs.parameters['odd']}}", "{{$}}"),
        ("{{$.inputs.artifacts['model'].uri}}", "/model"),
        ("{{$.inputs.artifacts['model'].path}}", "/model"),
        ("{{$.inputs.artifacts['model'].name}}", "mine/1/Trainer/model"),
        ("{{$.inputs.artifacts['model'].metadata['steps']}}", "3"),
        ("{{$.inputs.artifacts['model'].properties['share']}}", "0.5"),
        ("{{$.inputs.artifacts['model'].custom_properties['hub']}}", "x"),
        ("{{$.inputs.artifacts['text'].value}}", "content"),
        ("{{$.outputs.artifacts['out'].uri}}/x", "/out/x"),
        ("{{$.outputs.parameters['p'].output_file}}", "/file/p"),
        ("{{$.outputs.output_file}}", "/executor_output.json"),
        ("{{$.pipeline_job_name}}", "mine-1"),
    ],
)
def test_what_a_placeholder_stands_for(message: pb.ExecutorInput, text: str, expected: str) -> None:
    assert Placeholders(message, {"pipeline_job_name": "mine-1"}).fill(text) == expected


def test_the_whole_input_is_one_line_of_json(message: pb.ExecutorInput) -> None:
    filled = Placeholders(message, {}).fill("{{$}}")
    assert "\n" not in filled
    assert json_format.Parse(filled, pb.ExecutorInput()) == message
    assert json.loads(filled)["outputs"]["outputFile"] == "/executor_output.json"


def test_a_constant_that_is_no_text_stays_as_it_is(message: pb.ExecutorInput) -> None:
    placeholders = Placeholders(message, {})
    assert placeholders.fill_value(3.5) == 3.5
    assert placeholders.fill_value("{{$.inputs.parameters['steps']}}") == "3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{$.inputs.parameters['none']}}", "the step has no such parameter"),
        ("{{$.outputs.parameters['none'].output_file}}", "the step puts out no such parameter"),
        ("{{$.inputs.artifacts['other'].uri}}", "the step has no such artifact"),
        ("{{$.inputs.artifacts['none'].uri}}", "the step has no such artifact"),
        ("{{$.inputs.artifacts['model'].metadata['x']}}", "the artifact mine/1/Trainer/model has no such property"),
    ],
)
def test_what_the_step_was_not_given(message: pb.ExecutorInput, text: str, expected: str) -> None:
    with pytest.raises(NotThere) as error:
        Placeholders(message, {}).fill(f"a {text} b")
    assert str(error.value) == f"{text}: {expected}"


@pytest.mark.parametrize("text", ["{{$.other}}", "{{$.inputs}}", "{{$.inputs.artifacts['model']}}", "{{$[0]}}"])
def test_an_unknown_placeholder_is_refused(message: pb.ExecutorInput, text: str) -> None:
    with pytest.raises(UserError) as error:
        Placeholders(message, {}).fill(text)
    assert str(error.value) == f"{text}: run-compiled doesn't know this placeholder"


def test_a_value_that_is_no_file(message: pb.ExecutorInput) -> None:
    with pytest.raises(UserError, match=r"/model holds no text: "):
        Placeholders(message, {}).fill("{{$.inputs.artifacts['model'].value}}")
