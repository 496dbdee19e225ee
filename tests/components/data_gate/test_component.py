"""DataProfile and DataGate as a pipeline gets them."""

import json

from tfx.types import Channel, standard_artifacts

from components.artifacts import DataGateReport
from components.artifacts import DataProfile as DataProfileArtifact
from components.data_gate.component import DataGate
from components.data_gate.settings import DataGateSettings
from components.data_profile.component import DataProfile
from trainer_module.settings import ColumnSettings

CONFIG = {"bert": {"hub": "models/bert", "text": ["a"], "label": "b"}}


def channels() -> dict[str, Channel]:
    profile = DataProfile(examples=Channel(type=standard_artifacts.Examples), custom_config=CONFIG)
    assert profile.id == "DataProfile"
    assert json.loads(profile.exec_properties["custom_config"]) == CONFIG
    return {
        "anomalies": Channel(type=standard_artifacts.ExampleAnomalies),
        "data_profile": profile.outputs["data_profile"],
    }


def test_the_gate_takes_anomalies_and_profile_and_gives_a_report() -> None:
    gate = DataGate(**channels(), settings=DataGateSettings())
    assert gate.id == "DataGate"
    assert {name: channel.type for name, channel in gate.inputs.items()} == {
        "anomalies": standard_artifacts.ExampleAnomalies,
        "data_profile": DataProfileArtifact,
    }
    assert {name: channel.type for name, channel in gate.outputs.items()} == {"report": DataGateReport}
    assert DataGateSettings.model_validate_json(gate.exec_properties["checks"]) == DataGateSettings()


def test_the_gate_may_be_told_the_live_model_and_whose_schema_it_is() -> None:
    columns = ColumnSettings(text=["a"], label="b")
    live = Channel(type=standard_artifacts.Model)
    gate = DataGate(**channels(), model=live, settings=DataGateSettings(), schema_inferred_of=columns)
    assert gate.inputs["model"] is live
    assert json.loads(gate.exec_properties["schema_inferred_of"]) == {"text": ["a"], "label": "b"}
