"""What `[data]` may say, and how it travels through TFX."""

import json

import pytest
from pydantic import ValidationError
from tfx.utils import proto_utils

from components.example_gen.custom_config import pack, unpack_rows, unpack_window
from components.example_gen.row_format import MOST_COLUMNS, RowFormat, missing_columns
from components.example_gen.span_window import Window
from pipeline.data_settings import DataSettings
from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error

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
        "data.delimiter: must be one character, not a quote or a line break; given '||'",
        "data.quoting: should be 'minimal' or 'none'; given 'no'",
        "data.encoding: is not a text encoding such as 'utf-8' or 'latin-1'; given 'utf-9'",
        "data.text: should have at least 1 item after validation, not 0; given []",
        "data.label: is missing",
        "data.on_bad_rows: should be 'drop' or 'fail'; given 1",
        "data.delimeter: is not a known key; did you mean 'delimiter'?",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"text": ["a", "a"]}, "data.text: names a column twice: 'a'"),
        ({"label": "b"}, "data.label: 'b' is also a text column; the model would read the answer"),
        ({"columns": ["a", "y"]}, "data.text: there is no column 'b'; data.columns names 'a', 'y'"),
        ({"columns": ["a", "b"]}, "data.label: there is no column 'y'; data.columns names 'a', 'b'"),
        ({"columns": ["a", "b", "y", "a"]}, "data.columns: names a column twice: 'a'"),
        ({"delimiter": '"'}, "data.delimiter: must be one character, not a quote or a line break; given '\"'"),
        ({"delimiter": ""}, "data.delimiter: must be one character, not a quote or a line break; given ''"),
        ({"delimiter": "\0"}, "data.delimiter: must not hold the character '\\x00'"),
        ({"delimiter": "\udcff"}, "data.delimiter: must not hold the character '\\udcff'"),
        ({"label": "y\0"}, "data.label: must not hold the character '\\x00'"),
        ({"text": ["a", "\0"]}, "data.text: must not hold the character '\\x00'"),
        ({"columns": ["a", "b", "y", "\0"]}, "data.columns: must not hold the character '\\x00'"),
        ({"encoding": "utf-8\0"}, "data.encoding: must not hold the character '\\x00'"),
        *[
            ({"encoding": name}, f"data.encoding: is not a text encoding such as 'utf-8' or 'latin-1'; given {name!r}")
            for name in (
                "rot13",
                "base64",
                "hex",
                "idna",
                "punycode",
                "undefined",
                "unicode_escape",
                "Raw-Unicode_Escape",
            )
        ],
    ],
)
def test_the_config_and_the_component_refuse_the_same_in_the_same_words(
    change: dict[str, object], problem: str
) -> None:
    with pytest.raises(UserError) as by_component:
        RowFormat.from_dict(GIVEN | change)
    assert by_component.value.problems == [problem]
    section = {key: value for key, value in (GIVEN | change).items() if key != "task"}
    with pytest.raises(ValidationError) as by_config:
        DataSettings.model_validate({"train": "rows.csv", **section})
    assert describe_validation_error(by_config.value, DataSettings, prefix="data") == [problem]


def test_keys_of_csv_files_are_refused_for_tfrecords() -> None:
    with pytest.raises(UserError) as error:
        RowFormat.from_dict(GIVEN | {"format": "tfrecord"})
    assert error.value.problems == [
        f"data.{key}: says how CSV files are written, but data.format is 'tfrecord'; remove it"
        for key in ("columns", "delimiter", "quoting", "encoding")
    ]


def test_more_columns_than_the_steps_can_take() -> None:
    names = ["a", "b", "y", *map(str, range(MOST_COLUMNS))]
    with pytest.raises(UserError) as error:
        RowFormat.from_dict(GIVEN | {"columns": names})
    assert error.value.problems[0].startswith(f"data.columns: has {len(names):,} columns; at most {MOST_COLUMNS:,} can")


def test_missing_columns_are_named_with_those_that_exist() -> None:
    rows = RowFormat(text=["sentense", "other"], label="label")
    assert missing_columns(rows, ["sentence", "label"]) == [
        "has no column 'sentense' (data.text); its columns are: 'sentence', 'label'; did you mean 'sentence'?",
        "has no column 'other' (data.text); its columns are: 'sentence', 'label'",
    ]
