"""Which spans a window reads, and the drivers that say so to TFX and Vertex AI."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.types.artifact import CUSTOM_PROPERTIES_PREFIX

from components.example_gen import v2_span_driver
from components.example_gen.component import make_example_gen
from components.example_gen.row_format import RowFormat
from components.example_gen.span_driver import SpanDriver
from components.example_gen.span_window import ResolvedWindow, Window, resolve_window
from components.example_gen.spans import LATEST
from components.example_gen.spans_read import ReadSpan, SpansRead
from trainer_module.errors import UserError

ROWS = RowFormat(text=["text"], label="label")
NOWHERE = data_types.PipelineInfo("", "")
NOBODY = data_types.ComponentInfo("", "", NOWHERE)
ALL = ("all",)
BOTH = ("train", "eval")


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """Rows of the days 3 to 6 and 8, a correction of day 5."""
    for day in ("3/v1", "4/v1", "5/v1", "5/v2", "6/v1", "8/v1"):
        write(tmp_path, day)
    return tmp_path


def write(folder: Path, day: str, name: str = "rows") -> Path:
    path = folder / day / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"text,label\nof day {day},pos\n")
    return path


def resolve(
    folder: Path, span: int, inputs: tuple[str, ...] = ALL, pattern: str = "{SPAN}/v{VERSION}/*.csv", **window: Any
) -> ResolvedWindow:
    """Each input is of the same pattern, where `NAME` stands for its own name."""
    splits = [example_gen_pb2.Input.Split(name=name, pattern=pattern.replace("NAME", name)) for name in inputs]
    return resolve_window(str(folder), splits, span, Window(**window))


def refused(*arguments: Any, **options: Any) -> list[str]:
    with pytest.raises(UserError) as caught:
        resolve(*arguments, **options)
    return caught.value.problems


def test_the_newest_span_alone(days: Path):
    assert resolve(days, LATEST).patterns == [["8/v1/*.csv"]]
    assert resolve(days, LATEST).read == SpansRead(first_span=8, last_span=8, spans=[ReadSpan(span=8, version=1)])


def test_a_window_up_to_a_span_in_the_newest_versions(days: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "permafrost.data"):
        window = resolve(days, 6, spans=3)
    assert window.patterns == [["4/v1/*.csv", "5/v2/*.csv", "6/v1/*.csv"]]
    assert window.read == SpansRead(
        first_span=4,
        last_span=6,
        spans=[ReadSpan(span=4, version=1), ReadSpan(span=5, version=2), ReadSpan(span=6, version=1)],
    )
    assert caplog.messages == ["rows of spans 4 to 6; version 1 of 4, 2 of 5, 1 of 6"]


def test_the_newest_is_held_out(days: Path):
    window = resolve(days, 6, BOTH, spans=3, hold_out_newest=True)
    assert window.patterns == [["4/v1/*.csv", "5/v2/*.csv"], ["6/v1/*.csv"]]
    assert (window.read.first_span, window.read.last_span, len(window.read.spans)) == (4, 6, 3)


def test_evaluation_rows_elsewhere_are_read_for_the_same_spans(tmp_path: Path):
    for day in ("1", "2", "3"):
        for name in BOTH:
            write(tmp_path, day, name)
    window = resolve(tmp_path, LATEST, BOTH, "{SPAN}/NAME.csv", spans=2)
    assert window.patterns == [["2/train.csv", "3/train.csv"], ["2/eval.csv", "3/eval.csv"]]
    assert window.read.spans == [ReadSpan(span=2), ReadSpan(span=3)]


def test_missing_spans_fail_the_run_by_name(days: Path):
    where = "data.train: of the 7 spans 2 to 8, 2 have no files: 2, 7"
    assert refused(days, LATEST, spans=7) == [f'{where}; bring them, or set data.on_missing_span = "warn"']


def test_missing_days_are_named_as_dates_too(tmp_path: Path):
    for day in ("2026-11-25", "2026-11-27"):
        write(tmp_path, day)
    assert refused(tmp_path, LATEST, pattern="{YYYY}-{MM}-{DD}/*.csv", spans=3) == [
        "data.train: of the 3 spans 20782 (2026-11-25) to 20784 (2026-11-27), 1 have no files: 20783 (2026-11-26); "
        'bring them, or set data.on_missing_span = "warn"'
    ]


def test_or_the_run_goes_on_without_them(days: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "permafrost.data"):
        window = resolve(days, LATEST, spans=4, on_missing="warn")
    assert window.patterns == [["5/v2/*.csv", "6/v1/*.csv", "8/v1/*.csv"]]
    assert (window.read.first_span, window.read.missing_spans) == (5, [7])
    assert caplog.messages == [
        "data.train: of the 4 spans 5 to 8, 1 have no files: 7; the run goes on without them",
        "rows of spans 5 to 8; version 2 of 5, 1 of 6, 1 of 8; without 7, which had no files",
    ]


def test_a_span_without_evaluation_rows_is_missing_in_both(tmp_path: Path):
    for day in ("1", "3"):
        for name in BOTH:
            write(tmp_path, day, name)
    write(tmp_path, "2", "train")
    window = resolve(tmp_path, LATEST, BOTH, "{SPAN}/NAME.csv", spans=3, on_missing="warn")
    assert window.patterns == [["1/train.csv", "3/train.csv"], ["1/eval.csv", "3/eval.csv"]]
    assert refused(tmp_path, LATEST, BOTH, "{SPAN}/NAME.csv", spans=3) == [
        'data.eval: of the 3 spans 1 to 3, 1 have no files: 2; bring them, or set data.on_missing_span = "warn"'
    ]


def test_without_the_newest_no_run_goes_on(days: Path):
    path = f"{days}/{{SPAN}}/v{{VERSION}}/*.csv"
    assert refused(days, 7, spans=3, on_missing="warn") == [
        f"data.train: no file of span 7 matches {path}; the newest there are: 3, 4, 5, 6, 8"
    ]
    assert refused(days, 7, BOTH, spans=3, hold_out_newest=True) == [
        f"data.train: no file of span 7 matches {path}; the newest there are: 3, 4, 5, 6, 8"
    ]


def test_the_newest_of_one_input_only_is_not_taken_for_the_newest(tmp_path: Path):
    write(tmp_path, "1", "train")
    write(tmp_path, "1", "eval")
    write(tmp_path, "2", "train")
    assert refused(tmp_path, LATEST, BOTH, "{SPAN}/NAME.csv") == [
        f"data.eval: no file of span 2 matches {tmp_path}/{{SPAN}}/eval.csv; the newest there are: 1"
    ]


def test_no_span_at_all(tmp_path: Path):
    assert refused(tmp_path, LATEST, BOTH, "{SPAN}/NAME.csv") == [
        f"data.train: no file of any span matches {tmp_path}/{{SPAN}}/train.csv",
        f"data.eval: no file of any span matches {tmp_path}/{{SPAN}}/eval.csv",
    ]


def test_nothing_left_to_train_on(days: Path):
    assert refused(days, 8, BOTH, spans=2, hold_out_newest=True, on_missing="warn") == [
        "data.train: of the 2 spans 7 to 8, 1 have no files: 7; the newest is held out, and nothing is left to train on"
    ]


def test_a_correction_of_one_input_only(tmp_path: Path):
    for version in ("1/v1", "1/v2"):
        write(tmp_path, version, "train")
    write(tmp_path, "1/v1", "eval")
    assert refused(tmp_path, LATEST, BOTH, "{SPAN}/v{VERSION}/NAME.csv") == [
        "data.train, data.eval: the newest version of span 1 is 2 in data.train, 1 in data.eval; "
        "bring both in the same version"
    ]


def test_a_number_that_names_no_span(days: Path):
    assert refused(days, -2) == ["data.span: must be the number of a span, or -1 for the latest; given -2"]


def test_the_fingerprint_notices_every_file_of_every_span(days: Path):
    seen = [resolve(days, 6, spans=3).fingerprint]
    assert [line.partition(",split:")[0] for line in seen[0].split("\n")] == [
        "span:4,version:1",
        "span:5,version:2",
        "span:6,version:1",
    ]
    os.utime(days / "4" / "v1" / "rows.csv", (0, 0))
    seen.append(resolve(days, 6, spans=3).fingerprint)
    write(days, "5/v2", "more")
    seen.append(resolve(days, 6, spans=3).fingerprint)
    write(days, "6/v3")
    seen.append(resolve(days, 6, spans=3).fingerprint)
    assert len(set(seen)) == 4
    write(days, "9/v1")
    write(days, "3/v2")
    assert resolve(days, 6, spans=3).fingerprint == seen[-1], "outside of the window"


def component(folder: Path, **options: Any) -> Any:
    return make_example_gen(f"{folder}/{{SPAN}}/v{{VERSION}}/*.csv", rows=ROWS, **options)


def test_the_driver_tells_the_executor(days: Path):
    properties = dict(component(days, eval="newest", window=2, span=6).exec_properties)
    driven = SpanDriver(metadata_handle=None).resolve_exec_properties(properties, NOWHERE, NOBODY)
    assert json.loads(driven["input_config"])["splits"] == [
        {"name": "train", "pattern": "5/v2/*.csv"},
        {"name": "eval", "pattern": "6/v1/*.csv"},
    ]
    assert (driven["span"], driven["version"]) == (6, 1)
    assert driven["input_fingerprint"].startswith("span:5,version:2,split:train,num_files:1,")
    assert SpansRead.model_validate_json(driven["window"]).first_span == 5


def test_without_spans_all_is_as_in_tfx(days: Path):
    properties = dict(make_example_gen(f"{days}/3/v1/*.csv", rows=ROWS).exec_properties)
    driven = SpanDriver(metadata_handle=None).resolve_exec_properties(properties, NOWHERE, NOBODY)
    assert (driven["span"], json.loads(driven["input_config"])["splits"][0]["pattern"]) == (0, "*.csv")
    assert "window" not in driven


def test_what_was_read_survives_the_artifacts_properties():
    read = SpansRead(first_span=1, last_span=3, spans=[ReadSpan(span=1), ReadSpan(span=3)], missing_spans=[2])
    examples = standard_artifacts.Examples()
    assert SpansRead.of(examples.mlmd_artifact) is None
    read.record(examples)
    assert SpansRead.of(examples.mlmd_artifact) == read
    properties = examples.mlmd_artifact.custom_properties
    assert (properties["first_span"].int_value, properties["last_span"].int_value) == (1, 3)
    assert properties["spans"].string_value == '[{"span": 1, "version": null}, {"span": 3, "version": null}]'
    assert properties["missing_spans"].string_value == "[2]"


INPUTS_SPEC = {
    "parameters": {
        "input_base": {"parameterType": "STRING"},
        "input_config": {"parameterType": "STRING"},
        "custom_config": {"parameterType": "STRING"},
        "span": {"parameterType": "NUMBER_INTEGER"},
    }
}


def run_v2_driver(days: Path, output: Path, span: int) -> None:
    given = component(days, window=3).exec_properties
    values = {name: given[name] for name in ("input_base", "input_config", "custom_config")} | {"span": float(span)}
    examples = {
        "artifacts": [{"name": "examples", "uri": str(days / "out"), "type": {"instanceSchema": "title: tfx.Examples"}}]
    }
    invocation = {
        "inputs": {"parameterValues": values},
        "outputs": {"artifacts": {"examples": examples}, "outputFile": str(output)},
    }
    arguments = ["--json_serialized_invocation_args", json.dumps(invocation)]
    arguments += ["--json_serialized_inputs_spec_args", json.dumps(INPUTS_SPEC), "--runner=DirectRunner"]
    v2_span_driver.main(arguments)


def test_on_vertex_the_chosen_spans_are_put_out(days: Path, tmp_path: Path):
    output = tmp_path / "step" / "executor_output.json"
    run_v2_driver(days, output, 6)
    put_out = json.loads(output.read_text())
    values = put_out["parameterValues"]
    assert (values["span"], values["version"]) == (6, 1)
    assert json.loads(values["input_config"])["splits"][0]["pattern"] == "4/v1/*.csv\n5/v2/*.csv\n6/v1/*.csv"
    assert json.loads(values["window"])["first_span"] == 4
    (artifact,) = put_out["artifacts"]["examples"]["artifacts"]
    assert artifact["metadata"][f"{CUSTOM_PROPERTIES_PREFIX}span"] == 6
    assert artifact["metadata"]["input_fingerprint"] == values["input_fingerprint"]


def test_on_vertex_a_span_that_is_not_there_is_the_same_message(days: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"^data\.train: no file of span 21 matches "):
        run_v2_driver(days, tmp_path / "out.json", 21)
    assert not (tmp_path / "out.json").exists()
