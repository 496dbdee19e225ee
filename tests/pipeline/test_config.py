"""What a config may say, and what it means."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.absolute_paths import absolute_path
from pipeline.config import PipelineConfig
from trainer_module.validation import describe_validation_error


def given(**changes: Any) -> dict[str, Any]:
    """A small config; `data={"label": …}` changes single keys of a section."""
    sections: dict[str, Any] = {
        "pipeline": {"name": "mine", "root": "runs/mine"},
        "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
        "model": {"hub": "models/bert"},
    }
    for name, keys in changes.items():
        sections[name] = sections.get(name, {}) | keys
    return sections


def read(**changes: Any) -> PipelineConfig:
    return PipelineConfig.model_validate(given(**changes))


def problems(**changes: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        read(**changes)
    return describe_validation_error(caught.value, PipelineConfig)


def test_defaults():
    config = read()
    assert config.data.eval is None
    assert config.data.eval_fraction == 0.2
    assert (config.data.delimiter, config.data.quoting, config.data.encoding) == (",", "minimal", "utf-8")
    assert config.data.on_bad_rows == "drop"
    assert config.train.epochs == 3
    assert config.evaluate.slices == []
    assert config.push.directory == "runs/mine/serving"


def test_default_threshold_is_the_live_model():
    by_task = {"classification": "accuracy", "regression": "mse"}
    for task, metric in by_task.items():
        for evaluate in ({}, {"slices": [["channel"]]}):
            thresholds = read(model={"task": task}, evaluate=evaluate).evaluate.thresholds
            assert {name: bounds.model_dump(exclude_unset=True) for name, bounds in thresholds.items()} == {
                metric: {"no_worse_than_live_by": 0.0}
            }


def test_given_thresholds_replace_the_default():
    thresholds = read(evaluate={"thresholds": {"macro_f1": {"at_least": 0.5}}}).evaluate.thresholds
    assert list(thresholds) == ["macro_f1"]


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ("rows.csv", "csv"),
        ("rows.tsv", "csv"),
        ("folder", "csv"),
        ("rows.tfrecord", "tfrecord"),
        ("rows-*.tfrecord.gz", "tfrecord"),
    ],
)
def test_format_follows_the_ending(train: str, expected: str):
    assert read(data={"train": train}).data.format == expected


def test_format_given_wins_over_the_ending():
    assert read(data={"train": "folder", "format": "tfrecord"}).data.format == "tfrecord"
    assert read(data={"train": "a.tfrecord", "format": "csv"}).data.format == "csv"
    assert problems(data={"format": "xml"}) == ["data.format: should be 'csv' or 'tfrecord'; given 'xml'"]


def test_csv_keys_are_refused_for_tfrecord():
    assert problems(data={"train": "a.tfrecord", "delimiter": "\t", "encoding": "utf-8"}) == [
        "data.delimiter: says how CSV files are written, but data.format is 'tfrecord'; remove it",
        "data.encoding: says how CSV files are written, but data.format is 'tfrecord'; remove it",
    ]


def test_schema_is_read_by_its_key():
    assert read(data={"schema": "schema.pbtxt"}).data.schema_path == "schema.pbtxt"
    assert problems(data={"shema": "x"}) == ["data.shema: is not a known key; did you mean 'schema'?"]


def test_escaped_tab_is_a_tab():
    assert read(data={"delimiter": "\\t"}).data.delimiter == "\t"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"eval": "e.csv", "eval_fraction": 0.1},
         "data.eval_fraction: only splits `train` where data.eval is not given; remove one of the two"),
        ({"eval_fraction": 1.0}, "data.eval_fraction: should be less than 1; given 1.0"),
        ({"label": "body"}, "data.label: 'body' is also a text column; the model would read the answer"),
        ({"columns": ["body", "team"]},
         "data.label: there is no column 'topic'; data.columns names 'body', 'team'"),
        ({"columns": ["topic", "x"], "text": ["a", "b"]},
         "data.text: there is no column 'a', 'b'; data.columns names 'topic', 'x'"),
        ({"text": ["body", "body"]}, "data.text: names a column twice: 'body'"),
        ({"columns": ["body", "topic", "body"]},
         "data.columns: names a column twice: 'body'"),
        ({"text": []}, "data.text: should have at least 1 item after validation, not 0; given []"),
        ({"text": "body"}, "data.text: should be a valid list; given 'body'"),
        ({"delimiter": "||"}, "data.delimiter: must be one character, not a quote or a line break; given '||'"),
        ({"delimiter": "\n"}, "data.delimiter: must be one character, not a quote or a line break; given '\\n'"),
        ({"encoding": "utf-9"},
         "data.encoding: is not a text encoding such as 'utf-8' or 'latin-1'; given 'utf-9'"),
        ({"encoding": "base64"},
         "data.encoding: is not a text encoding such as 'utf-8' or 'latin-1'; given 'base64'"),
        ({"encoding": ""}, "data.encoding: is not a text encoding such as 'utf-8' or 'latin-1'; given ''"),
        ({"train": "rows\0.csv"}, "data.train: must not hold the character '\\x00'"),
        ({"schema": "\0"}, "data.schema: must not hold the character '\\x00'"),
        ({"on_bad_rows": "skip"}, "data.on_bad_rows: should be 'drop' or 'fail'; given 'skip'"),
    ],
)  # fmt: skip
def test_refused_data(data: dict[str, Any], expected: str):
    assert problems(data=data) == [expected]


NO_PLACE = "data.train holds no {SPAN} or date, such as 'rows/{SPAN}/*.csv'; given 'rows.csv'"
BY_DAY = "rows/{YYYY}-{MM}-{DD}.csv"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"window": 7, "span": 3, "on_missing_span": "warn", "eval": "newest"},
         [f"data.{key}: {NO_PLACE}" for key in ("eval", "span", "window", "on_missing_span")]),
        ({"train": "rows/{YYYY}/{SPAN}.csv", "eval": "v{VERSION}.csv"},
         ["data.train: holds {SPAN} beside a date; a span is named by one of them",
          "data.eval: holds {VERSION} without {SPAN} or {YYYY}, {MM} and {DD}, of which it would be a version"]),
        ({"train": "{SPAN:x}/{VERSION:0}.csv"},
         ["data.train: {SPAN:x} is no placeholder; its width must be a number, as in {SPAN:3}",
          "data.train: {VERSION:0} is no placeholder; its width must be a number, as in {SPAN:3}"]),
        ({"train": "{SPAN:99999999999}.csv"},
         ["data.train: {SPAN:99999999999} is no placeholder; its width must be a number, as in {SPAN:3}"]),
        ({"train": "{SPAN}.csv", "span": 2**63},
         ["data.span: should be less than or equal to 9223372036854775807; given 9223372036854775808"]),
        ({"train": BY_DAY, "eval": "eval.csv"},
         ["data.eval: must hold {SPAN}, {VERSION} or a date where data.train does, and only there"]),
        ({"train": BY_DAY, "eval": "newest", "eval_fraction": 0.1},
         ['data.window: must be at least 2, of which data.eval = "newest" holds one out; given 1',
          "data.eval_fraction: only splits `train` where data.eval is not given; remove one of the two"]),
        ({"train": "{SPAN}.csv", "span": "2026-11-27"},
         ["data.span: must be a number, as data.train has {SPAN} in it; given the date 2026-11-27"]),
        ({"train": BY_DAY, "span": "27.11.2026"},
         ["data.span: must be a number, or a date such as 2026-11-27; given '27.11.2026'"]),
        ({"train": BY_DAY, "span": 20261127},
         ["data.span: is no day: 20261127 days after 1970-01-01; write a date such as 2026-11-27"]),
        ({"train": BY_DAY, "span": "1969-12-31"},
         ["data.span: should be greater than or equal to 0; given -1"]),
        ({"train": BY_DAY, "span": datetime.datetime(2026, 11, 27)},
         ["data.span: must be a number, or a date such as 2026-11-27; given datetime.datetime(2026, 11, 27, 0, 0)"]),
        ({"train": BY_DAY, "window": 0}, ["data.window: should be greater than or equal to 1; given 0"]),
        ({"train": BY_DAY, "on_missing_span": "skip"},
         ["data.on_missing_span: should be 'fail' or 'warn'; given 'skip'"]),
    ],
)  # fmt: skip
def test_refused_spans(data: dict[str, Any], expected: list[str]):
    assert problems(data=data) == expected


@pytest.mark.parametrize("span", ["2026-11-27", datetime.date(2026, 11, 27), 20784])
def test_a_day_is_a_number(span: Any):
    assert read(data={"train": BY_DAY, "span": span}).data.span_to_read == 20784


def test_the_newest_span_is_read_unless_one_is_named():
    assert read(data={"train": "{SPAN}.csv"}).data.span_to_read == -1
    assert read(data={"train": "{SPAN}.csv", "span": 0}).data.span_to_read == 0
    assert read().data.span_to_read is None


def test_newest_is_no_path():
    data = read(data={"train": BY_DAY, "eval": "newest", "window": 2}).resolve_paths(Path("/project")).data
    assert (data.train, data.eval, data.eval_path) == (f"/project/{BY_DAY}", "newest", None)
    assert read(data={"eval": "./newest"}).resolve_paths(Path("/project")).data.eval_path == "/project/newest"


CLASSIFICATION = "accuracy, macro_f1, auc, loss"


@pytest.mark.parametrize(
    ("task", "thresholds", "expected"),
    [
        ("classification", {"f1": {"at_least": 0.5}},
         f"f1: is not a known metric of classification; known metrics: {CLASSIFICATION}"),
        ("classification", {"mse": {"at_most": 1.0}},
         f"mse: is not a known metric of classification; known metrics: {CLASSIFICATION}"),
        ("regression", {"accuracy": {"at_least": 0.5}},
         "accuracy: is not a known metric of regression; known metrics: mse, mae, pearson_r2"),
        ("classification", {"accuracy": {"at_most": 0.5}},
         "accuracy.at_most: does not fit accuracy, where more is better; use at_least; given 0.5"),
        ("classification", {"loss": {"at_least": 0.5}},
         "loss.at_least: does not fit loss, where less is better; use at_most; given 0.5"),
        ("regression", {"mae": {"at_least": 0.5}},
         "mae.at_least: does not fit mae, where less is better; use at_most; given 0.5"),
        ("classification", {"accuracy": {"at_least": 86}},
         "accuracy.at_least: should be less than or equal to 1; given 86"),
        ("classification", {"accuracy": {"at_leest": 0.5}},
         "accuracy.at_leest: is not a known key; did you mean 'at_least'?"),
        ("classification", {"accuracy": {}},
         "accuracy: sets no bound; give at_least, at_most or no_worse_than_live_by"),
        ("classification", {"accuracy": 0.86}, "accuracy: should be a table of keys and values; given 0.86"),
        ("classification", {"accuracy": {"no_worse_than_live_by": -0.1}},
         "accuracy.no_worse_than_live_by: should be greater than or equal to 0; given -0.1"),
    ],
)  # fmt: skip
def test_refused_thresholds(task: str, thresholds: dict[str, Any], expected: str):
    found = problems(model={"task": task}, evaluate={"thresholds": thresholds})
    assert found == [f"evaluate.thresholds.{expected}"]


def test_every_metric_takes_the_bound_of_its_direction():
    live = {"no_worse_than_live_by": 0.01}
    high, low = {"at_least": 0.5} | live, {"at_most": 2.0} | live
    read(evaluate={"thresholds": {"accuracy": high, "macro_f1": high, "auc": high, "loss": low}})
    thresholds = {"mse": low, "mae": low, "pearson_r2": high}
    read(model={"task": "regression"}, evaluate={"thresholds": thresholds})


def test_slices():
    assert read(evaluate={"slices": [["channel"], ["channel", "team"]]}).evaluate.slices[1] == [
        "channel",
        "team",
    ]
    assert problems(evaluate={"slices": ["channel"]}) == ["evaluate.slices[0]: should be a valid list; given 'channel'"]
    assert problems(data={"columns": ["body", "topic"]}, evaluate={"slices": [["topic"], ["team"]]}) == [
        "evaluate.slices[1]: there is no column 'team'; data.columns names 'body', 'topic'"
    ]


def test_problems_of_all_sections_come_at_once():
    sections = given(
        pipeline={"name": "a b"},
        data={"columns": ["body", "team"], "eval": "e.csv", "eval_fraction": 0.1},
        model={"max_tokens": 1, "freeze": [{"freeze": "encoder["}, {"train": ""}]},
        train={"epochs": 0, "learning_rat": 1.0},
        evaluate={"slices": "channel", "thresholds": {"f1": {}, "mse": {"at_least": 1.0}}},
        push={},
        modle={},
    )
    del sections["model"]["hub"]
    with pytest.raises(ValidationError) as caught:
        PipelineConfig.model_validate(sections)
    found = [line.split(": ")[0] for line in describe_validation_error(caught.value, PipelineConfig)]
    assert found == [
        "pipeline.name",
        "data.label",
        "data.eval_fraction",
        "model.hub",
        "model.freeze",
        "model.freeze",
        "model.max_tokens",
        "train.epochs",
        "train.learning_rat",
        "evaluate.slices",
        "evaluate.thresholds.f1",
        "evaluate.thresholds.mse.at_least",
        "push.directory",
        "modle",
    ]


def test_default_push_adds_no_problem_of_its_own():
    assert problems(pipeline={"root": ""}) == ["pipeline.root: should have at least 1 character; given ''"]


def test_missing_sections():
    with pytest.raises(ValidationError) as caught:
        PipelineConfig.model_validate({})
    expected = ["pipeline: is missing", "data: is missing", "model: is missing"]
    assert describe_validation_error(caught.value, PipelineConfig) == expected


def test_bert_settings_hold_only_what_was_set():
    config = read(model={"freeze": [{"freeze": "encoder[:3]"}]}, train={"epochs": 2}, evaluate={"slices": []})
    assert config.resolve_paths(Path("/p")).bert_settings().to_custom_config() == {
        "bert": {
            "text": ["body"],
            "label": "topic",
            "hub": "/p/models/bert",
            "freeze": [{"freeze": "encoder[:3]"}],
            "epochs": 2,
        }
    }


def test_paths_are_taken_from_the_folder():
    config = read(
        pipeline={"root": "../runs/mine"},
        data={"train": "data/*.csv", "eval": "/abs/eval.csv", "schema": "schema.pbtxt"},
        model={"hub": "https://tfhub.dev/tensorflow/bert/1", "preprocess": "pre", "vocab": "~/vocab.txt"},
        push={"directory": "gs://bucket/serving"},
    ).resolve_paths(Path("/project/configs"))
    assert config.pipeline.root == "/project/runs/mine"
    assert config.data.train == "/project/configs/data/*.csv"
    assert config.data.eval == "/abs/eval.csv"
    assert config.data.schema_path == "/project/configs/schema.pbtxt"
    assert config.model.hub == "https://tfhub.dev/tensorflow/bert/1"
    assert config.model.preprocess == "/project/configs/pre"
    assert config.model.vocab == str(Path.home() / "vocab.txt")
    assert config.push.directory == "gs://bucket/serving"


def test_default_push_follows_the_root():
    folder = Path("/project/configs")
    assert read().resolve_paths(folder).push.directory == "/project/configs/runs/mine/serving"
    in_cloud = read(pipeline={"root": "gs://bucket/runs"}).resolve_paths(folder)
    assert in_cloud.push.directory == "gs://bucket/runs/serving"


def test_how_many_versions_stay():
    assert read().push.keep_versions is None
    kept = read(push={"keep_versions": 1}).push
    assert (kept.directory, kept.keep_versions) == ("runs/mine/serving", 1)
    assert problems(push={"keep_versions": 0}) == ["push.keep_versions: should be greater than or equal to 1; given 0"]


@pytest.mark.parametrize("url", ["https://h/m/1", "gs://b/m", "hdfs://n/m", "s3://b/m", "file:///m"])
def test_urls_stay(url: str):
    assert absolute_path(url, Path("/project")) == url


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"metric": "accuracy", "at_least": 0.5}, [
            "evaluate.slice_thresholds[0]: needs either slice, such as { source = \"web\" }, "
            'or columns, such as ["source"]'
        ]),
        ({"columns": ["a"], "slice": {"a": "b"}, "metric": "accuracy", "at_least": 0.5}, [
            "evaluate.slice_thresholds[0]: needs either slice, such as { source = \"web\" }, "
            'or columns, such as ["source"]'
        ]),
        ({"columns": ["body"], "metric": "f1", "at_least": 0.5}, [
            "evaluate.slice_thresholds[0].metric: is not a known metric of classification; known metrics: accuracy, "
            "macro_f1, auc, loss"
        ]),
        ({"columns": ["body"], "metric": "loss", "at_least": 0.5}, [
            "evaluate.slice_thresholds[0].at_least: does not fit loss, where less is better; use at_most; given 0.5"
        ]),
        ({"columns": ["body"], "metric": "loss"}, [
            "evaluate.slice_thresholds[0].metric: sets no bound; give at_least, at_most or no_worse_than_live_by"
        ]),
        ({"slice": {"source": "web"}, "metric": "loss", "at_most": 1}, [
            "evaluate.slice_thresholds[0].slice: there is no column 'source'; data.columns names 'body', 'topic'"
        ]),
        ({"slice": {}, "metrics": "loss"}, [
            "evaluate.slice_thresholds[0].metric: is missing",
            "evaluate.slice_thresholds[0].slice: should have at least 1 item after validation, not 0; given {}",
            "evaluate.slice_thresholds[0].metrics: is not a known key; did you mean 'metric'?",
        ]),
    ],
)  # fmt: skip
def test_refused_thresholds_of_slices(table: dict[str, Any], expected: list[str]):
    data = {"columns": ["body", "topic"]} if "source" in str(table.get("slice")) else {}
    assert problems(data=data, evaluate={"slice_thresholds": [table]}) == expected


def test_the_data_gate_is_told_of_all_its_problems_at_once():
    assert problems(data_gate={"label_drift": "never", "min_rows": -1}) == [
        "data_gate.min_rows.at_least: should be greater than or equal to 1; given -1",
        "data_gate.label_drift.action: should be 'stop', 'warn' or 'off'; given 'never'",
    ]
