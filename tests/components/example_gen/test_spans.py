"""Placeholders in a path, and what is wrong with them."""

import datetime

import pytest

from components.example_gen.component import make_example_gen
from components.example_gen.data_paths import check_paths, input_of
from components.example_gen.row_format import RowFormat
from components.example_gen.spans import (
    LATEST,
    any_span,
    eval_problem,
    has_span,
    has_version,
    is_dated,
    path_problems,
    span_name,
    span_names,
    span_of,
    window_problem,
)
from trainer_module.errors import UserError

ROWS = RowFormat(text=["text"], label="label")
DATED = "rows/{YYYY}-{MM}-{DD}.csv"


def test_what_a_path_holds():
    assert has_span("rows/{SPAN}/a.csv")
    assert has_span("rows/day-{SPAN:3}.csv")
    assert not has_span("rows/{span}/{VERSION}/SPAN.csv")
    assert has_span(DATED) and is_dated(DATED)
    assert not is_dated("rows/{SPAN}.csv")
    assert [has_version(path) for path in ("{SPAN}/v{VERSION:2}.csv", "{SPAN}/VERSION.csv")] == [True, False]


def test_any_span_in_any_version():
    assert any_span("{SPAN}/day-{SPAN:3}/*.csv") == "*/day-*/*.csv"
    assert any_span("{YYYY}-{MM}-{DD}/v{VERSION:2}/{VERSION}.csv") == "*-*-*/v*/*.csv"


def test_a_date_is_a_number_of_days():
    assert span_of(datetime.date(1970, 1, 2)) == 1
    assert span_of(datetime.date(2026, 11, 27)) == 20784
    assert span_name(20784, DATED) == "20784 (2026-11-27)"
    assert span_name(20784, "rows/{SPAN}.csv") == "20784"
    assert [span_name(span, DATED) for span in (LATEST, 9_999_999)] == ["-1", "9999999"], "no days"
    assert span_names(range(30), "{SPAN}") == ", ".join(map(str, range(20))) + " and 10 more"


@pytest.mark.parametrize(
    ("path", "problems"),
    [
        ("rows.csv", []),
        ("{SPAN:03}/v{VERSION}.csv", []),
        ("{YYYY}/{MM}/{DD}/v{VERSION:2}/*.csv", []),
        ("{SPAN:x}/v{VERSION:0}.csv", [
            "{SPAN:x} is no placeholder; its width must be a number, as in {SPAN:3}",
            "{VERSION:0} is no placeholder; its width must be a number, as in {SPAN:3}",
        ]),
        ("{SPAN}/{YYYY}-{MM}-{DD}.csv", ["holds {SPAN} beside a date; a span is named by one of them"]),
        ("{YYYY}/*.csv", ["must hold each of {YYYY}, {MM} and {DD} once, to name days"]),
        ("{YYYY}/{YYYY}-{MM}-{DD}.csv", ["must hold each of {YYYY}, {MM} and {DD} once, to name days"]),
        ("{SPAN}/{SPAN}.csv", ["holds {SPAN} more than once"]),
        ("{SPAN}/{VERSION}/{VERSION:2}.csv", ["holds {VERSION} more than once"]),
        ("v{VERSION}.csv",
         ["holds {VERSION} without {SPAN} or {YYYY}, {MM} and {DD}, of which it would be a version"]),
    ],
)  # fmt: skip
def test_placeholders_that_make_no_sense(path: str, problems: list[str]):
    assert path_problems(path) == problems


def test_both_paths_hold_the_same_placeholders():
    for train, eval in [("{SPAN}/a", "{SPAN:2}/b"), (DATED, DATED), ("a", "b"), ("a", None), (DATED, "newest")]:
        assert eval_problem(train, eval) is None
    for train, eval in [("{SPAN}", "b"), ("a", DATED), (DATED, "{SPAN}"), ("{SPAN}/{VERSION}", "{SPAN}")]:
        assert eval_problem(train, eval) == (
            "must hold {SPAN}, {VERSION} or a date where data.train does, and only there"
        )


def test_a_window_needs_spans():
    no_place = "data.train holds no {SPAN} or date, such as 'rows/{SPAN}/*.csv'; given 'rows.csv'"
    assert eval_problem("rows.csv", "newest") == no_place
    assert window_problem("rows.csv", None, 7) == no_place
    assert window_problem("rows.csv", None, 1) is None
    assert window_problem(DATED, "newest", 2) is None
    assert window_problem(DATED, "newest", 1) == (
        'must be at least 2, of which data.eval = "newest" holds one out; given 1'
    )


def test_the_base_folder_ends_before_the_first_placeholder():
    assert input_of("/rows/{SPAN}/train/*.csv", "/rows/{SPAN}/eval/*.csv") == (
        "/rows/",
        ["{SPAN}/train/*.csv", "{SPAN}/eval/*.csv"],
    )
    assert input_of("/rows/day-{SPAN:3}.csv", None) == ("/rows/", ["day-{SPAN:3}.csv"])
    assert input_of("/rows/{YYYY}/{MM}/{DD}.csv", "newest") == ("/rows/", 2 * ["{YYYY}/{MM}/{DD}.csv"])


def test_a_path_with_spans_names_its_files():
    with pytest.raises(UserError) as caught:
        input_of("/rows/train/{SPAN}", "/rows/eval/{SPAN}/")
    assert caught.value.problems == [
        "data.train: a path with spans must name its files; write /rows/train/{SPAN}/*.csv or the like",
        "data.eval: a path with spans must name its files; write /rows/eval/{SPAN}/*.csv or the like",
    ]


def test_a_span_that_exists_is_enough_to_start(tmp_path):
    (tmp_path / "day-003").mkdir()
    (tmp_path / "day-003" / "rows.csv").write_text("text,label\n")
    check_paths(f"{tmp_path}/day-{{SPAN:3}}/*.csv", "newest")
    with pytest.raises(UserError, match=r"^data\.train: no file matches .*/night-\*/"):
        check_paths(f"{tmp_path}/night-{{SPAN:3}}/*.csv", None)


def test_the_component_has_the_property_only_where_there_are_spans():
    assert "span" not in make_example_gen("gs://b/rows.csv", rows=ROWS).exec_properties
    spanned = make_example_gen("gs://b/{SPAN}/rows.csv", rows=ROWS)
    assert spanned.exec_properties["span"] == LATEST
    assert spanned.exec_properties["input_base"] == "gs://b/"


def test_the_component_refuses_what_a_config_would():
    with pytest.raises(UserError) as caught:
        make_example_gen("gs://b/rows.csv", "newest", rows=ROWS, window=2)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["data.eval", "data.window"]
    with pytest.raises(UserError, match=r"^data\.train: must hold each of"):
        make_example_gen("gs://b/{YYYY}/*.csv", rows=ROWS)
