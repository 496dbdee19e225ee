"""Which spans and versions are found, by what stands in the places of the placeholders."""

import logging
from pathlib import Path

import pytest

from components.example_gen.span_search import find_spans
from trainer_module.errors import UserError


def put(folder: Path, *files: str) -> str:
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(folder) + "/"


def test_digits_are_numbers_however_many_zeros_there_are(tmp_path: Path):
    base = put(tmp_path, "7/a.csv", "008/a.csv", "008/b.csv", "12/a.csv")
    assert find_spans(base, "{SPAN}/*.csv") == {
        7: (None, "7/*.csv"),
        8: (None, "008/*.csv"),
        12: (None, "12/*.csv"),
    }
    assert find_spans(base, "{SPAN:3}/*.csv") == {8: (None, "008/*.csv")}


def test_the_newest_version_of_each_span(tmp_path: Path):
    base = put(tmp_path, "span-1/v9/a.csv", "span-1/v10/a.csv", "span-2/v01/a.csv")
    assert find_spans(base, "span-{SPAN}/v{VERSION}/*.csv") == {
        1: (10, "span-1/v10/*.csv"),
        2: (1, "span-2/v01/*.csv"),
    }


def test_numbers_that_ml_metadata_cannot_hold_name_no_span(tmp_path: Path):
    base = put(tmp_path, f"{2**63}/v1/a.csv", f"{2**63 - 1}/v{2**63}/a.csv", "2/v1/a.csv")
    assert find_spans(base, "{SPAN}/v{VERSION}/*.csv") == {2: (1, "2/v1/*.csv")}


def test_days(tmp_path: Path):
    base = put(tmp_path, "2026/11/27.csv", "2026/02/29.csv", "2028/02/29.csv", "26/11/27.csv")
    assert find_spans(base, "{YYYY}/{MM}/{DD}.csv") == {
        20784: (None, "2026/11/27.csv"),
        21243: (None, "2028/02/29.csv"),
    }
    base = put(tmp_path, "rows-20261127-2.csv")
    assert find_spans(base, "rows-{YYYY}{MM}{DD}-{VERSION}.csv") == {20784: (2, "rows-20261127-2.csv")}


@pytest.mark.parametrize(
    ("file", "pattern", "span"),
    [
        ("rows-v2-123.csv", "rows*-{SPAN}.csv", 123),
        ("rows-123.csv", "rows*{SPAN}.csv", 123),
        ("a+b(1)/5.csv", "a+b(1)/{SPAN}.csv", 5),
        ("x7/rows.csv", "?{SPAN}/[!a]*.csv", 7),
    ],
)
def test_wildcards_beside_a_placeholder(tmp_path: Path, file: str, pattern: str, span: int):
    assert list(find_spans(put(tmp_path, file), pattern)) == [span]


def test_what_names_no_span_is_left_alone_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    base = put(tmp_path, "7/a.csv", "backup/a.csv", "_8/a.csv")
    with caplog.at_level(logging.WARNING, "permafrost.data"):
        assert list(find_spans(base, "{SPAN}/*.csv")) == [7]
    assert caplog.messages == [f"2 files name no span and are not read, such as {base}_8/a.csv"]


def test_nothing_there(tmp_path: Path):
    assert find_spans(str(tmp_path) + "/", "{SPAN}/*.csv") == {}


@pytest.mark.parametrize(
    ("files", "pattern", "message"),
    [
        (["7/a.csv", "07/a.csv"], "{SPAN}/*.csv", "span 7 is there twice, as {}07/*.csv and {}7/*.csv; remove one"),
        (["1/v2/a.csv", "1/v02/a.csv"], "{SPAN}/v{VERSION}/*.csv",
         "version 2 of span 1 is there twice, as {}1/v02/*.csv and {}1/v2/*.csv; remove one"),
    ],
)  # fmt: skip
def test_two_names_for_one_span(tmp_path: Path, files: list[str], pattern: str, message: str):
    base = put(tmp_path, *files)
    with pytest.raises(UserError) as caught:
        find_spans(base, pattern)
    assert str(caught.value) == "data.train, data.eval: " + message.replace("{}", base)
