"""Rows of several spans, from the files to the examples."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from trainer_module.errors import UserError

Write = Callable[[str, str | bytes], Path]
Run = Any
"""`conftest.Run`, which can't be imported by its name."""

HEADER = "text,label\n"


def a_day(day: int) -> str:
    return f"{HEADER}good {day},pos\nbad {day},neg\n"


@pytest.fixture
def pattern(tmp_path: Path, write: Write) -> Path:
    """Two rows of each of the days 1 to 4, which day 3 got in a second version."""
    for day in range(1, 5):
        write(f"{day}/v1.csv", a_day(day))
    write("3/v2.csv", a_day(33))
    return tmp_path / "{SPAN}" / "v{VERSION}.csv"


def texts(outcome: Any, split: str) -> list[str]:
    return [row["text"].decode() for row in outcome.rows(split)]


def test_the_newest_day_is_for_evaluation(run: Run, pattern: Path) -> None:
    outcome = run(pattern, "newest", window=3)
    assert texts(outcome, "train") == ["good 2", "bad 2", "good 33", "bad 33"]
    assert texts(outcome, "eval") == ["good 4", "bad 4"]
    window = {
        "first_span": 2,
        "last_span": 4,
        "spans": [{"span": 2, "version": 1}, {"span": 3, "version": 2}, {"span": 4, "version": 1}],
        "missing_spans": [],
    }
    assert json.loads(Path(outcome.artifact.uri, "rows.json").read_text())["window"] == window
    properties = outcome.artifact.mlmd_artifact.custom_properties
    assert (properties["first_span"].int_value, properties["last_span"].int_value) == (2, 4)
    assert json.loads(properties["spans"].string_value) == window["spans"]
    assert (properties["rows_train"].int_value, properties["rows_eval"].int_value) == (4, 2)


@pytest.mark.slow
def test_a_share_of_every_day_is_for_evaluation(run: Run, tmp_path: Path, write: Write) -> None:
    for day in (1, 2):
        write(f"{day}.csv", HEADER + "".join(f"text {row} of {day},{row % 2}\n" for row in range(40)))
    outcome = run(tmp_path / "{SPAN}.csv", eval_fraction=0.5, window=2)
    splits = {split: texts(outcome, split) for split in ("train", "eval")}
    assert sorted(splits["train"] + splits["eval"]) == sorted(
        f"text {row} of {day}" for day in (1, 2) for row in range(40)
    )
    for of_split in splits.values():
        assert {text[-1] for text in of_split} == {"1", "2"}
    alone = run(tmp_path / "{SPAN}.csv", eval_fraction=0.5)
    assert set(texts(alone, "eval")) == {text for text in splits["eval"] if text.endswith("2")}, "whatever the window"


@pytest.mark.slow
def test_a_bad_row_is_told_with_its_file(run: Run, pattern: Path, write: Write) -> None:
    bad = write("3/v4.csv", a_day(34) + ",pos\n")
    with pytest.raises(UserError) as caught:
        run(pattern, "newest", window=3, on_bad_rows="fail")
    assert caught.value.problems == [
        f'data.train: 1 of 5 rows can\'t be used: 1 empty text ({bad}:4); mend them, or set data.on_bad_rows = "drop"'
    ]


def test_days_whose_columns_differ(run: Run, pattern: Path, write: Write) -> None:
    other = write("4/v2.csv", "label,text\npos,a\n")
    with pytest.raises(UserError) as caught:
        run(pattern, window=2)
    assert caught.value.problems == [
        f"data.train: {other}: its header ('label', 'text') differs from that of {other.parent.parent}/3/v2.csv "
        "('text', 'label'); all files of an input need the same columns, in one order"
    ]


@pytest.mark.slow
def test_tfrecords(run: Run, tmp_path: Path) -> None:
    for day in ("2026-11-25", "2026-11-26", "2026-11-27"):
        with tf.io.TFRecordWriter(str(tmp_path / f"{day}.tfrecord")) as writer:
            for number in (0, 1):
                example = tf.train.Example()
                example.features.feature["text"].bytes_list.value.append(f"{number} of {day}".encode())
                example.features.feature["label"].int64_list.value.append(number)
                writer.write(example.SerializeToString())
    outcome = run(tmp_path / "{YYYY}-{MM}-{DD}.tfrecord", "newest", window=2, format="tfrecord")
    assert texts(outcome, "train") == ["0 of 2026-11-26", "1 of 2026-11-26"]
    assert texts(outcome, "eval") == ["0 of 2026-11-27", "1 of 2026-11-27"]
    assert [each.span for each in outcome.report.window.spans] == [20783, 20784]
