"""What `[data]` may say, and how it travels through TFX."""

import json

import pytest
from tfx.utils import proto_utils

from components.example_gen.custom_config import pack, unpack_rows, unpack_window
from components.example_gen.row_format import RowFormat, missing_columns
from components.example_gen.span_window import Window
from trainer_module.errors import UserError

GIVEN = {
    "format": "csv",
    "columns": ["a", "b", "y"],
    "text": ["a", "b"],
    "label": "y",
    "delimiter": "\t",
    "quoting": "none",
    "encoding": "latin-1",
    "task": "regression",
    "on_bad_rows": "fail",
}


def test_every_key_survives_json() -> None:
    rows = RowFormat.from_dict(GIVEN)
    assert json.loads(rows.model_dump_json()) == GIVEN
    assert RowFormat.model_validate_json(rows.model_dump_json()) == rows


@pytest.mark.parametrize("given", [GIVEN, {"text": ["t"], "label": "y"}])
def test_it_travels_in_tfx_custom_config(given: dict[str, object]) -> None:
    rows = RowFormat.from_dict(given)
    assert unpack_rows(proto_utils.proto_to_json(pack(rows))) == rows


def test_a_window_travels_beside_it() -> None:
    rows, window = RowFormat(text=["t"], label="y"), Window(spans=7, hold_out_newest=True, on_missing="warn")
    packed = proto_utils.proto_to_json(pack(rows, window))
    assert (unpack_rows(packed), unpack_window(packed)) == (rows, window)
    assert pack(rows, Window()) == pack(rows)
    assert unpack_window(None) == unpack_window(proto_utils.proto_to_json(pack(rows))) == Window()


def test_custom_config_without_rows() -> None:
    with pytest.raises(UserError) as error:
        unpack_rows(None)
    assert str(error.value) == 'custom_config: has no "rows" key; make ExampleGen with make_example_gen()'


def test_defaults() -> None:
    rows = RowFormat(text=["t"], label="y")
    assert (rows.format, rows.columns, rows.delimiter, rows.quoting) == ("csv", None, ",", "minimal")
    assert (rows.encoding, rows.task, rows.on_bad_rows) == ("utf-8", "classification", "drop")


def test_all_problems_come_at_once() -> None:
    with pytest.raises(UserError) as error:
        RowFormat.from_dict(
            {
                "text": [],
                "delimeter": ";",
                "delimiter": "||",
                "encoding": "utf-9",
                "quoting": "no",
                "on_bad_rows": 1,
            }
        )
    assert error.value.problems == [
        "data.text: should have at least 1 item after validation, not 0; given []",
        "data.label: is missing",
        "data.delimiter: must be one character, not a quote or a line break; given '||'",
        "data.quoting: should be 'minimal' or 'none'; given 'no'",
        'data.encoding: \'utf-9\' is no text encoding; use e.g. "utf-8" or "latin-1"',
        "data.on_bad_rows: should be 'drop' or 'fail'; given 1",
        "data.delimeter: is not a known key; did you mean 'delimiter'?",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"text": ["a", "a"]}, "data.text: names a column twice: 'a'"),
        ({"label": "b"}, "data.label: 'b' is a text column too; the model would read its own answer"),
        ({"columns": ["a", "y"]}, "data.text: 'b' is not one of data.columns: 'a', 'y'"),
        ({"columns": ["a", "b"]}, "data.label: 'y' is not one of data.columns: 'a', 'b'"),
        ({"columns": ["a", "b", "y", "a"]}, "data.columns: names a column twice: 'a'"),
        ({"format": "tfrecord"}, "data.columns: tf.Examples name their own columns; remove this key"),
        (
            {"encoding": "rot13"},
            'data.encoding: \'rot13\' is no text encoding; use e.g. "utf-8" or "latin-1"',
        ),
        (
            {"delimiter": '"'},
            "data.delimiter: must be one character, not a quote or a line break; given '\"'",
        ),
    ],
)
def test_impossible_values(change: dict[str, object], problem: str) -> None:
    with pytest.raises(UserError) as error:
        RowFormat.from_dict(GIVEN | change)
    assert error.value.problems == [problem]


def test_missing_columns_are_named_with_those_that_exist() -> None:
    rows = RowFormat(text=["sentense", "other"], label="label")
    assert missing_columns(rows, ["sentence", "label"]) == [
        "has no column 'sentense' (data.text); its columns are: 'sentence', 'label'; did you mean 'sentence'?",
        "has no column 'other' (data.text); its columns are: 'sentence', 'label'",
    ]
