"""Night by night over a window of days: with `prefix_cache_dir`, only the newest day's rows are encoded."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.nightly.encoded_rows import EncodedRows

pytestmark = pytest.mark.slow

CONFIG = """
[data]
train = "days/{YYYY}-{MM}-{DD}.csv"
eval = "newest"
window = 3
text = ["text"]
label = "label"

[model]
hub = "HUB"
max_tokens = 16
freeze = ["freeze embeddings", "freeze encoder[:2]"]

[train]
epochs = 2
prefix_cache_dir = "prefixes"

[evaluate.thresholds.accuracy]
at_least = 0.0
"""
ROWS_BY_DAY = {21: 4, 22: 6, 23: 8, 24: 10, 25: 12}
Project = Any


@pytest.fixture(scope="module")
def project(make_project: Callable[[str], Project]) -> Project:
    """Five days of different rows, each with two more than the day before."""
    project = make_project(CONFIG)
    (project.folder / "days").mkdir()
    texts = (" ".join(words) for words in itertools.product(("the", "very", "not"), ("film", "story"), "abcdefgh"))
    for day, count in ROWS_BY_DAY.items():
        rows = [f"{text},{'pos' if index % 2 else 'neg'}" for index, text in enumerate(itertools.islice(texts, count))]
        project.write(f"days/2026-11-{day}.csv", "\n".join(["text,label", *rows]) + "\n")
    return project


def night(project: Project, day: int) -> tuple[EncodedRows, Any]:
    with EncodedRows() as rows:
        result = project.run(f"data.span=2026-11-{day}")
    return rows, result


def test_each_night_encodes_exactly_the_rows_of_its_newest_day(project: Project) -> None:
    first, _ = night(project, 23)
    assert (first.computed, first.found) == ({"train": 4 + 6, "eval": 8}, {"train": 0, "eval": 0})
    second, result = night(project, 24)
    assert (second.computed, second.found) == ({"train": 0, "eval": 10}, {"train": 6 + 8, "eval": 0})
    third, _ = night(project, 25)
    assert (third.computed, third.found) == ({"train": 0, "eval": 12}, {"train": 8 + 10, "eval": 0})
    assert result.audit.verdict == "passed"
    assert len(project.pushed()) == 3
