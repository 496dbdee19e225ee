"""Which examples can be trained on."""

from typing import Any

import pytest
import tensorflow as tf

from components.example_gen.bad_row import EMPTY_TEXT, LINE_BREAK, NO_LABEL, NOT_A_LABEL, NOT_A_NUMBER, NOT_TEXT
from components.example_gen.row_checks import label_of, prepare
from components.example_gen.row_format import RowFormat

CLASSES = RowFormat(text=["a", "b"], label="y")
NUMBERS = CLASSES.model_copy(update={"task": "regression"})


def example(**values: Any) -> tf.train.Example:
    made = tf.train.Example()
    for name, value in values.items():
        listed = value if isinstance(value, list) else [value]
        feature = made.features.feature[name]
        if not listed:
            continue
        kinds = {bytes: feature.bytes_list, int: feature.int64_list, float: feature.float_list}
        kinds[type(listed[0])].value.extend(listed)
    return made


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, None),
        ({"b": b""}, EMPTY_TEXT),
        ({"b": " \t\n\u00a0\u3000".encode()}, EMPTY_TEXT),
        ({"a": []}, EMPTY_TEXT),
        ({"a": b"\0"}, None),
        ({"a": b"\xff"}, NOT_TEXT),
        ({"a": [b"x", b"y"]}, NOT_TEXT),
        ({"a": 1}, NOT_TEXT),
        ({"y": b" "}, NO_LABEL),
        ({"y": []}, NO_LABEL),
        ({"y": 0}, None),
        ({"y": [1, 2]}, NOT_A_LABEL),
        ({"y": b"\xff"}, None),
        ({"y": b"a\nb"}, LINE_BREAK),
        ({"y": b"a\r"}, LINE_BREAK),
    ],
)
def test_classification(values: dict[str, Any], reason: str | None) -> None:
    assert prepare(example(**{"a": b"x", "b": b"y", "y": b"1"} | values), CLASSES) == reason


@pytest.mark.parametrize("name", ["a", "b"])
def test_absent_text(name: str) -> None:
    made = example(a=b"x", b=b"y", y=1)
    del made.features.feature[name]
    assert prepare(made, CLASSES) == EMPTY_TEXT


@pytest.mark.parametrize(("label", "number"), [(b"3.5", 3.5), (b" -1e3 ", -1000.0), (2, 2.0), (0.25, 0.25)])
def test_regression_labels_become_floats(label: Any, number: float) -> None:
    made = example(a=b"x", b=b"y", y=label)
    assert prepare(made, NUMBERS) is None
    assert made == example(a=b"x", b=b"y", y=number)


@pytest.mark.parametrize("label", [b"many", b"nan", b"inf", b"-Infinity", b"1e39", b"3,5", float("nan")])
def test_labels_that_are_no_numbers(label: Any) -> None:
    assert prepare(example(a=b"x", b=b"y", y=label), NUMBERS) == NOT_A_NUMBER


@pytest.mark.parametrize(("label", "shown"), [("ärger".encode(), "ärger"), (b"\xff", "\\xff"), (3, "3")])
def test_labels_as_messages_write_them(label: Any, shown: str) -> None:
    assert label_of(example(y=label).SerializeToString(), "y") == shown
