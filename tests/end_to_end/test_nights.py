"""Nights over a window of days, in one project: a good one, a bad day, its correction, a worse model, a rollback.

Each night goes on from the one before. `tests/soak/test_eight_nights.py` runs more of them, as `permafrost retrain`.
"""

import csv
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks.nightly.encoded_rows import EncodedRows
from components.example_gen.rows_report import FILE_NAME, RowsReport
from pipeline.run_result import RunResult
from tests.support.project import Project
from trainer_module.errors import UserError

pytestmark = pytest.mark.slow

CONFIG = """
[data]
train = "days/{YYYY}-{MM}-{DD}/v{VERSION}/*.csv"
eval = "newest"
window = 3
on_missing_span = "warn"
text = ["text"]
label = "label"

[data_gate]
compare_from_rows = 50
vocabulary_drift = "warn"
text_length_drift = "warn"

[model]
hub = "HUB"
max_tokens = 16
freeze = ["freeze embeddings", "freeze encoder[:2]"]
pooling = "mean"

[train]
epochs = 8
batch_size = 16
learning_rate = 1e-2
prefix_cache_dir = "prefixes"

[evaluate.thresholds.accuracy]
no_worse_than_live_by = 0.3
"""
PER_DAY = 60
FIRST_DAY, NEWEST_DAY = 20780, 20782
"""The spans of 2026-11-23 and 2026-11-25."""
WARN_ONLY = ("data_gate.label_drift=warn", "evaluate.thresholds.loss.at_most=0.0")
WORSE = ("train.learning_rate=1e-9", "evaluate.thresholds.accuracy.no_worse_than_live_by=0.0")


@dataclass
class Night:
    """A run that came to its end, and what could be seen right after it."""

    result: RunResult
    encoded: EncodedRows
    rows: dict[str, int]
    heard: list[tuple[str, str]]
    pushed: list[str]


def run(project: Project, *overrides: str) -> Night:
    with EncodedRows() as encoded:
        result = project.run(*overrides)
    newest = max((project.artifacts / "ExampleGen" / "examples").iterdir(), key=lambda path: int(path.name))
    rows = {split: read.rows for split, read in RowsReport.read(str(newest / FILE_NAME)).splits.items()}
    return Night(result, encoded, rows, project.events.heard, project.pushed())


@pytest.fixture(scope="module")
def deliver() -> Callable[..., None]:
    """Writes a day's file: as many rows of each label, or all of them of one; no two rows are the same."""
    endings = itertools.product("abcdefghijklmnop", ("film", "story"), "qrstuvwxyz")
    verdicts = itertools.cycle((("good", "pos"), ("bad", "neg"), ("great", "pos"), ("awful", "neg")))

    def deliver(project: Project, day: int, version: int = 1, label: str | None = None) -> None:
        folder = project.folder / "days" / f"2026-11-{day}" / f"v{version}"
        folder.mkdir(parents=True)
        rows = [
            (f"{verdict} {' '.join(next(endings))}", label or own)
            for verdict, own in itertools.islice(verdicts, PER_DAY)
        ]
        with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])

    return deliver


# Each night goes on from the one before; a test may ask for any of them.


@pytest.fixture(scope="module")
def project(make_project: Callable[[str], Project], deliver: Callable[..., None]) -> Project:
    project = make_project(CONFIG)
    for day in (21, 22, 23):
        deliver(project, day)
    return project


@pytest.fixture(scope="module")
def first(project: Project) -> Night:
    return run(project)


@pytest.fixture(scope="module")
def stopped(project: Project, deliver: Callable[..., None], first: Night) -> tuple[UserError, Night]:
    """The newest day has one label only, and there is none before it."""
    deliver(project, 25, label="neg")
    with pytest.raises(UserError) as caught:
        project.run()
    return caught.value, replace(first, heard=project.events.heard, pushed=project.pushed())


@pytest.fixture(scope="module")
def warned(project: Project, stopped: object) -> Night:
    """The same day is let through, to a threshold that no model meets."""
    return run(project, *WARN_ONLY)


@pytest.fixture(scope="module")
def corrected(project: Project, deliver: Callable[..., None], warned: Night) -> Night:
    """A second version of that day."""
    deliver(project, 25, version=2)
    return run(project)


@pytest.fixture(scope="module")
def worse(project: Project, corrected: Night) -> Night:
    """A model that has learnt nothing."""
    return run(project, *WORSE)


@pytest.fixture(scope="module")
def rolled_back(project: Project, worse: Night) -> list[str]:
    from pipeline.cli.app import app

    assert not app(["rollback", "--config", str(project.config_file)], standalone_mode=False)
    return project.pushed()


@pytest.fixture(scope="module")
def again(project: Project, rolled_back: list[str]) -> Night:
    return run(project)


@pytest.fixture(scope="module")
def older(project: Project, again: Night) -> Night:
    return run(project, "data.span=2026-11-23")


def test_the_first_night_reads_the_days_of_the_window_and_pushes(first: Night) -> None:
    assert first.result.outcome == "pushed"
    assert first.result.spans is not None
    assert first.result.spans.describe("{DD}") == (
        "rows of spans 20778 (2026-11-21) to 20780 (2026-11-23); version 1 of 20778, 1 of 20779, 1 of 20780"
    )
    assert first.result.to_json()["span"] == FIRST_DAY
    assert first.result.to_json()["spans"] == [{"span": span, "version": 1} for span in (20778, 20779, 20780)]
    assert first.rows == {"train": 2 * PER_DAY, "eval": PER_DAY}
    assert first.result.data_gate is not None and first.result.data_gate.warnings == []
    assert len(first.pushed) == 1


def test_the_pushed_model_has_the_profile_of_its_rows_with_it(first: Night) -> None:
    assert Path(str(first.result.pushed_model), "assets.extra", "data_profile.json").is_file()


def test_the_first_night_encodes_all_rows(first: Night) -> None:
    assert first.encoded.computed == {"train": 2 * PER_DAY, "eval": PER_DAY}
    assert first.encoded.found == {"train": 0, "eval": 0}


def test_a_day_of_one_label_stops_the_run_before_transform(stopped: tuple[UserError, Night], first: Night) -> None:
    error, night = stopped
    (problem,) = error.problems
    assert problem.startswith(
        "data_gate.label_drift: the labels of the eval rows differ from those of the live model's eval rows by 0."
    )
    assert "(largest difference in share); at most 0.2 is allowed; most: 'neg' from 50.0% to 100.0%" in problem
    assert ("failed", "DataGate") in night.heard
    assert ("started", "Transform") not in night.heard
    assert night.pushed == first.pushed


def test_where_it_is_only_to_be_warned_of_the_run_goes_on(warned: Night, first: Night) -> None:
    warnings = [message.split(":")[0] for message in warned.result.to_json()["warnings"]]
    assert [warning for warning in warnings if warning.startswith("data_gate")] == [
        "data_gate.label_skew", "data_gate.label_drift"
    ]  # fmt: skip
    assert ("ended", "Transform") in warned.heard
    assert "DataProfile" in warned.result.cached, "the rows were counted before the run was stopped"
    assert warned.pushed == first.pushed


def test_a_worse_model_is_not_blessed_and_the_live_one_stays(worse: Night, corrected: Night) -> None:
    assert worse.result.outcome == "not_blessed"
    assert any("than the live model" in reason for reason in worse.result.to_json()["not_blessed_because"])
    assert worse.pushed == corrected.pushed


def test_a_correction_is_read_in_the_place_of_what_it_corrects(project: Project, corrected: Night) -> None:
    assert corrected.result.outcome == "pushed"
    assert "ExampleGen" not in corrected.result.cached
    assert corrected.rows == {"train": PER_DAY, "eval": PER_DAY}
    assert corrected.result.spans is not None
    assert [(each.span, each.version) for each in corrected.result.spans.spans] == [(FIRST_DAY, 1), (NEWEST_DAY, 2)]
    assert corrected.result.to_json()["missing_spans"] == [20781]
    assert len(corrected.pushed) == 2


def test_only_rows_that_are_new_are_encoded(corrected: Night) -> None:
    assert corrected.encoded.computed == {"train": 0, "eval": PER_DAY}
    assert corrected.encoded.found == {"train": PER_DAY, "eval": 0}
    assert corrected.result.audit is not None and corrected.result.audit.verdict == "passed"


def test_a_rollback_makes_the_model_before_live_again(rolled_back: list[str], corrected: Night) -> None:
    assert rolled_back[:2] == corrected.pushed
    assert len(rolled_back) == 3


def test_a_model_that_was_withdrawn_is_never_pushed_again(
    again: Night, corrected: Night, rolled_back: list[str]
) -> None:
    assert {"ExampleGen", "Trainer"} <= set(again.result.cached)
    assert (again.result.blessed, again.result.pushed_model, again.result.outcome) == (True, None, "not_blessed")
    assert "was withdrawn by a rollback, and is never pushed again" in str(again.result.not_pushed_because)
    assert again.pushed == rolled_back


def test_after_a_rollback_models_are_compared_with_the_one_that_is_live(again: Night, corrected: Night) -> None:
    compared = [night.result.evaluation.live for night in (again, corrected) if night.result.evaluation]
    assert compared[0] == pytest.approx(compared[1])


def test_the_model_that_is_live_again_counts_as_live(older: Night, rolled_back: list[str]) -> None:
    assert older.result.outcome == "unchanged"
    assert older.pushed == rolled_back
    assert older.result.spans is not None
    assert (older.result.spans.first_span, older.result.spans.last_span) == (20778, FIRST_DAY)
    assert "ExampleGen" in older.result.cached, "an older window is the first night's"


def test_a_day_that_never_was_is_told_in_one_message(project: Project, older: Night) -> None:
    with pytest.raises(UserError) as caught:
        project.run("data.span=2026-11-24")
    assert str(caught.value) == (
        f"data.train: no file of span 20781 (2026-11-24) matches {project.folder}/days/"
        "{YYYY}-{MM}-{DD}/v{VERSION}/*.csv; "
        "the newest there are: 20778 (2026-11-21), 20779 (2026-11-22), 20780 (2026-11-23), 20782 (2026-11-25)"
    )


def test_a_gap_that_may_not_be_is_told_before_rows_are_read(project: Project, older: Night) -> None:
    with pytest.raises(UserError) as caught:
        project.run("data.on_missing_span=fail")
    assert str(caught.value) == (
        "data.train: of the 3 spans 20780 (2026-11-23) to 20782 (2026-11-25), 1 have no files: 20781 (2026-11-24); "
        'bring them, or set data.on_missing_span = "warn"'
    )
