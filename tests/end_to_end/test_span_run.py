"""Rows that come by the day: the newest are read, or those that were asked for; Beam may have workers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.example_gen.rows_report import FILE_NAME, RowsReport

pytestmark = pytest.mark.slow

CONFIG = """
[data]
train = "days/{SPAN:2}/train.csv"
eval = "days/{SPAN:2}/eval.csv"
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
    """On day 7 there are two rows, on day 12 four."""
    project = make_project(CONFIG)
    for day, rows in (("07", TWO_ROWS), ("12", 2 * TWO_ROWS)):
        (project.folder / "days" / day).mkdir(parents=True)
        for name in ("train.csv", "eval.csv"):
            project.write(f"days/{day}/{name}", "text,label\n" + rows)
    return project


def rows_read(project: Project) -> int:
    """By the newest run, for training."""
    newest = max((project.artifacts / "ExampleGen" / "examples").iterdir(), key=lambda path: int(path.name))
    return RowsReport.read(str(Path(newest, FILE_NAME))).splits["train"].rows


def test_the_newest_then_an_older_one_by_workers(project: Project) -> None:
    newest = project.run()
    assert (newest.span, rows_read(project)) == (12, 4)
    assert newest.to_json()["span"] == 12

    older = project.run("data.span=7", "beam.workers=2")
    assert (older.span, rows_read(project)) == (7, 2)
    assert older.pushed_model is not None


def test_a_day_that_never_was_is_told_in_one_message(project: Project) -> None:
    from trainer_module.errors import UserError

    with pytest.raises(UserError, match=r"^data\.train, data\.eval: there are no files of span 8: "):
        project.run("data.span=8")
