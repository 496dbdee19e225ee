"""`{SPAN}` in a path, and the driver that puts a number there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types.artifact import CUSTOM_PROPERTIES_PREFIX
from tfx.utils import proto_utils

from components.example_gen import v2_span_driver
from components.example_gen.component import make_example_gen
from components.example_gen.data_paths import check_paths, input_of
from components.example_gen.row_format import RowFormat
from components.example_gen.span_driver import SpanDriver, range_config
from components.example_gen.spans import LATEST, any_span, has_span
from trainer_module.errors import UserError

Write = Callable[[str, str | bytes], Path]
ROWS = RowFormat(text=["text"], label="label")
NOWHERE = data_types.PipelineInfo("", "")
NOBODY = data_types.ComponentInfo("", "", NOWHERE)


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """Rows of the days 3, 20 and 100."""
    for day in ("003", "020", "100"):
        (tmp_path / f"day-{day}").mkdir()
        (tmp_path / f"day-{day}" / "rows.csv").write_text(f"text,label\nof day {day},pos\n")
    return tmp_path


def driven(folder: Path, span: int | None, pattern: str = "day-{SPAN:3}/*.csv") -> dict[str, Any]:
    """The execution properties after TFX's driver; `pattern` too, as the executor will get it."""
    splits = [example_gen_pb2.Input.Split(name="all", pattern=pattern)]
    properties = {
        "input_base": str(folder),
        "input_config": proto_utils.proto_to_json(example_gen_pb2.Input(splits=splits)),
    }
    driver = SpanDriver(metadata_handle=None)
    wish = {} if span is None else {"span": span}
    resolved = driver.resolve_exec_properties(properties | wish, NOWHERE, NOBODY)
    (split,) = json.loads(resolved["input_config"])["splits"]
    return resolved | {"pattern": split["pattern"]}


def test_a_path_with_a_span():
    assert has_span("rows/{SPAN}/a.csv")
    assert has_span("rows/day-{SPAN:3}.csv")
    assert not has_span("rows/{span}/{SPAN:x}/SPAN.csv")
    assert any_span("{SPAN}/day-{SPAN:3}/*.csv") == "*/day-*/*.csv"


def test_the_base_folder_ends_before_the_span():
    assert input_of("/rows/{SPAN}/train/*.csv", "/rows/{SPAN}/eval/*.csv") == (
        "/rows/",
        ["{SPAN}/train/*.csv", "{SPAN}/eval/*.csv"],
    )
    assert input_of("/rows/day-{SPAN:3}.csv", None) == ("/rows/", ["day-{SPAN:3}.csv"])


def test_a_path_with_a_span_names_its_files():
    with pytest.raises(UserError) as caught:
        input_of("/rows/train/{SPAN}", "/rows/eval/{SPAN}/")
    assert caught.value.problems == [
        "data.train: a path with {SPAN} must name its files; write /rows/train/{SPAN}/*.csv or the like",
        "data.eval: a path with {SPAN} must name its files; write /rows/eval/{SPAN}/*.csv or the like",
    ]


def test_a_span_that_exists_is_enough_to_start(days: Path):
    check_paths(f"{days}/day-{{SPAN:3}}/*.csv", None)
    with pytest.raises(UserError, match=r"^data\.train: no file matches .*/night-\*/"):
        check_paths(f"{days}/night-{{SPAN:3}}/*.csv", None)


def test_the_wished_span_is_read(days: Path):
    resolved = driven(days, 20)
    assert (resolved["span"], resolved["pattern"]) == (20, "day-020/*.csv")
    assert "span:020" not in resolved["input_fingerprint"]
    assert resolved["input_fingerprint"].startswith("split:all,num_files:1,")


def test_the_latest_is_the_one_with_the_highest_number(days: Path):
    resolved = driven(days, LATEST)
    assert (resolved["span"], resolved["pattern"]) == (100, "day-100/*.csv")


def test_without_a_span_all_is_as_in_tfx(days: Path):
    resolved = driven(days, None, "day-020/*.csv")
    assert (resolved["span"], resolved["pattern"]) == (0, "day-020/*.csv")
    assert "range_config" not in resolved


@pytest.mark.parametrize(
    ("span", "message"),
    [
        (21, "data.train, data.eval: there are no files of span 21: Cannot find matching for split all based on "
             "day-{SPAN:3}/*.csv"),
        (-2, "data.span: must be the number of a span, or -1 for the latest; given -2"),
        (1000, "data.train, data.eval: there are no files of span 1000: Span spec width is less than number of digits "
               "in span: (3, 1000)"),
    ],
)  # fmt: skip
def test_a_span_that_is_not_there(days: Path, span: int, message: str):
    with pytest.raises(UserError) as caught:
        driven(days, span)
    assert str(caught.value) == message


def test_no_span_at_all(tmp_path: Path):
    with pytest.raises(UserError, match=r"^data\.train, data\.eval: there are no files of any span: "):
        driven(tmp_path, LATEST)


def test_range_configs():
    assert json.loads(range_config(LATEST)) == {"rolling_range": {"num_spans": 1}}
    assert json.loads(range_config(7)) == {"static_range": {"start_span_number": 7, "end_span_number": 7}}


def test_the_component_has_the_property_only_where_there_is_a_span():
    assert "span" not in make_example_gen("gs://b/rows.csv", rows=ROWS).exec_properties
    spanned = make_example_gen("gs://b/{SPAN}/rows.csv", rows=ROWS, span=LATEST)
    assert spanned.exec_properties["span"] == LATEST
    assert spanned.exec_properties["input_base"] == "gs://b/"


INPUTS_SPEC = {
    "parameters": {
        "input_base": {"parameterType": "STRING"},
        "input_config": {"parameterType": "STRING"},
        "span": {"parameterType": "NUMBER_INTEGER"},
    }
}


def run_v2_driver(days: Path, output: Path, span: int) -> None:
    splits = {"splits": [{"name": "all", "pattern": "day-{SPAN:3}/*.csv"}]}
    examples = {
        "artifacts": [{"name": "examples", "uri": str(days / "out"), "type": {"instanceSchema": "title: tfx.Examples"}}]
    }
    invocation = {
        "inputs": {
            "parameterValues": {"input_base": str(days), "input_config": json.dumps(splits), "span": float(span)}
        },
        "outputs": {"artifacts": {"examples": examples}, "outputFile": str(output)},
    }
    arguments = ["--json_serialized_invocation_args", json.dumps(invocation)]
    arguments += ["--json_serialized_inputs_spec_args", json.dumps(INPUTS_SPEC), "--runner=DirectRunner"]
    v2_span_driver.main(arguments)


@pytest.mark.parametrize(("wish", "found", "folder"), [(20, 20, "day-020"), (LATEST, 100, "day-100")])
def test_on_vertex_the_chosen_span_is_put_out(days: Path, tmp_path: Path, wish: int, found: int, folder: str):
    output = tmp_path / "step" / "executor_output.json"
    run_v2_driver(days, output, wish)
    put_out = json.loads(output.read_text())
    assert put_out["parameterValues"]["span"] == found
    assert json.loads(put_out["parameterValues"]["input_config"])["splits"][0]["pattern"] == f"{folder}/*.csv"
    (artifact,) = put_out["artifacts"]["examples"]["artifacts"]
    assert artifact["metadata"][f"{CUSTOM_PROPERTIES_PREFIX}span"] == found


def test_on_vertex_a_span_that_is_not_there_is_the_same_message(days: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"^data\.train, data\.eval: there are no files of span 21: "):
        run_v2_driver(days, tmp_path / "out.json", 21)
    assert not (tmp_path / "out.json").exists()
