"""What may be written in `[data_gate]`."""

from typing import Any

import pytest
from pydantic import ValidationError

from components.data_gate.settings import DataGateSettings
from trainer_module.validation import describe_validation_error


def test_a_check_may_be_a_limit_an_action_or_a_table() -> None:
    gate = DataGateSettings.model_validate(
        {"label_drift": 0.3, "vocabulary_drift": "off", "text_length_drift": {"action": "warn"}, "min_rows": 7}
    )
    assert (gate.label_drift.at_most, gate.label_drift.action) == (0.3, "stop")
    assert (gate.vocabulary_drift.at_most, gate.vocabulary_drift.action) == (0.3, "off")
    assert (gate.text_length_drift.at_most, gate.text_length_drift.action) == (0.1, "warn")
    assert (gate.min_rows.at_least, gate.min_rows.action) == (7, "stop")
    assert DataGateSettings.model_validate_json(gate.model_dump_json()) == gate


def test_by_default_drift_stops_and_skew_warns() -> None:
    gate = DataGateSettings()
    actions = {
        name: getattr(gate, name).action
        for name in DataGateSettings.model_fields
        if "_drift" in name or "_skew" in name
    }
    assert {action for name, action in actions.items() if name.endswith("_drift")} == {"stop"}
    assert {action for name, action in actions.items() if name.endswith("_skew")} == {"warn"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"label_drift": 3}, "data_gate.label_drift.at_most: should be less than or equal to 1; given 3"),
        ({"label_drift": "wran"}, "data_gate.label_drift.action: should be 'stop', 'warn' or 'off'; given 'wran'"),
        ({"label_drift": [1]}, "data_gate.label_drift: should be a table of keys and values; given [1]"),
        ({"min_rows": 0}, "data_gate.min_rows.at_least: should be greater than or equal to 1; given 0"),
        ({"min_rows": {"at_most": 3}}, "data_gate.min_rows.at_most: is not a known key; did you mean 'at_least'?"),
        ({"lable_drift": 0.3}, "data_gate.lable_drift: is not a known key; did you mean 'label_drift'?"),
        ({"on_anomalies": "drop"}, "data_gate.on_anomalies: should be 'stop', 'warn' or 'off'; given 'drop'"),
    ],
)
def test_what_is_wrong_is_told(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DataGateSettings.model_validate(given)
    assert describe_validation_error(caught.value, DataGateSettings, "data_gate") == [problem]
