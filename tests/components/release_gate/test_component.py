"""ReleaseGate as a pipeline gets it."""

import json

import pytest
from pydantic import ValidationError
from tfx.types import Channel, standard_artifacts

from components.artifacts import ReleaseReport
from components.release_gate.component import ReleaseGate
from components.release_gate.limits import ReleaseLimits

CONFIG = {"bert": {"hub": "models/bert", "text": ["a"], "label": "b"}}


def channels() -> dict[str, Channel]:
    return {
        "model": Channel(type=standard_artifacts.Model),
        "model_run": Channel(type=standard_artifacts.ModelRun),
        "examples": Channel(type=standard_artifacts.Examples),
        "transform_graph": Channel(type=standard_artifacts.TransformGraph),
    }


def test_it_gives_a_blessing_and_a_report() -> None:
    gate = ReleaseGate(**channels(), custom_config=CONFIG)
    assert gate.id == "ReleaseGate"
    assert set(gate.inputs) == set(channels())
    assert {name: channel.type for name, channel in gate.outputs.items()} == {
        "blessing": standard_artifacts.InfraBlessing,
        "report": ReleaseReport,
    }
    assert json.loads(gate.exec_properties["custom_config"]) == CONFIG
    assert json.loads(gate.exec_properties["limits"]) == {
        "max_size_mb": None,
        "max_p99_ms": None,
        "rows": 64,
        "tolerance": 1e-4,
        "timeout_seconds": 300,
    }


def test_it_may_take_the_audits_blessing_and_other_limits() -> None:
    audited = Channel(type=standard_artifacts.InfraBlessing)
    gate = ReleaseGate(
        **channels(), custom_config=CONFIG, audit_blessing=audited, limits=ReleaseLimits(max_size_mb=500)
    )
    assert gate.inputs["audit_blessing"] is audited
    assert json.loads(gate.exec_properties["limits"])["max_size_mb"] == 500


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 0},
        {"rows": 65},
        {"tolerance": 0},
        {"max_size_mb": -1},
        {"max_p99_ms": float("inf")},
        {"timeout_seconds": 0},
        {"max_size": 1},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ReleaseLimits.model_validate(wrong)
