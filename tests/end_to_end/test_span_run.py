"""Rows that come by the day: a window up to the newest is read, or up to the one asked for; Beam may have workers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.example_gen.rows_report import FILE_NAME, RowsReport
from trainer_module.errors import UserError

pytestmark = pytest.mark.slow

CONFIG = """
[data]
train = "days/{YYYY}-{MM}-{DD}/v{VERSION}/*.csv"
eval = "newest"
window = 2
on_missing_span = "warn"
text = ["text"]
label = "label"

[model]
hub = "HUB"
max_tokens = 16
freeze = ["freeze all"]

[train]
steps = 1
"""
TWO_ROWS = "good film,pos\nbad film,neg\n"
Project = Any


@pytest.fixture(scope="module")
def project(make_project: Callable[[str], Project]) -> Project:
    """On each day from the 24th to the 27th there are two rows more than on the one before, but none on the 25th."""
    project = make_project(CONFIG)
    for day, rows in ((23, 1), (24, 2), (26, 4), (27, 5)):
        deliver(project, day, 1, rows)
    return project


def deliver(project: Project, day: int, version: int, rows: int) -> None:
    (project.folder / "days" / f"2026-11-{day}" / f"v{version}").mkdir(parents=True)
    project.write(f"days/2026-11-{day}/v{version}/rows.csv", "text,label\n" + rows * TWO_ROWS)


def rows_read(project: Project) -> tuple[int, int]:
    """By the newest run, for training and for evaluation."""
    newest = max((project.artifacts / "ExampleGen" / "examples").iterdir(), key=lambda path: int(path.name))
    splits = RowsReport.read(str(Path(newest, FILE_NAME))).splits
    return splits["train"].rows, splits["eval"].rows


def test_the_newest_days_then_a_correction_then_older_ones_by_workers(project: Project) -> None:
    newest = project.run()
    assert newest.spans is not None
    assert newest.spans.describe("{DD}") == (
        "rows of spans 20783 (2026-11-26) to 20784 (2026-11-27); version 1 of 20783, 1 of 20784"
    )
    assert rows_read(project) == (8, 10)
    assert newest.to_json()["span"] == 20784
    assert newest.to_json()["spans"] == [{"span": 20783, "version": 1}, {"span": 20784, "version": 1}]

    assert "ExampleGen" in project.run().cached
    deliver(project, 26, 2, 3)
    corrected = project.run()
    assert "ExampleGen" not in corrected.cached
    assert rows_read(project) == (6, 10)
    assert [each.version for each in corrected.spans.spans] == [2, 1]

    older = project.run("data.span=2026-11-26", "data.window=4", "beam.workers=2")
    assert (older.spans.first_span, older.spans.last_span, older.spans.missing_spans) == (20780, 20783, [20782])
    assert rows_read(project) == (6, 6)
    assert older.to_json()["missing_spans"] == [20782]
    assert older.pushed_model is not None


def test_a_day_that_never_was_is_told_in_one_message(project: Project) -> None:
    with pytest.raises(UserError) as caught:
        project.run("data.span=2026-11-25")
    assert str(caught.value) == (
        f"data.train: no file of span 20782 (2026-11-25) matches {project.folder}/days/"
        "{YYYY}-{MM}-{DD}/v{VERSION}/*.csv; "
        "the newest there are: 20780 (2026-11-23), 20781 (2026-11-24), 20783 (2026-11-26), 20784 (2026-11-27)"
    )


def test_a_gap_that_may_not_be_is_told_before_rows_are_read(project: Project) -> None:
    with pytest.raises(UserError) as caught:
        project.run("data.window=3", "data.span=2026-11-26", "data.on_missing_span=fail")
    assert str(caught.value) == (
        "data.train: of the 3 spans 20781 (2026-11-24) to 20783 (2026-11-26), 1 have no files: 20782 (2026-11-25); "
        'bring them, or set data.on_missing_span = "warn"'
    )
