"""DataGate, run as TFX runs it, on real reviews."""

from pathlib import Path
from typing import Any

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import standard_artifacts

from trainer_module.errors import UserError
from trainer_module.settings import ColumnSettings

Window = Any
"""`conftest.Window`, which can't be imported by its name."""
Rows = list[tuple[str, str]]


def stopped(window: Window, *arguments: Any, **settings: Any) -> list[str]:
    with pytest.raises(UserError) as caught:
        window.gate(*arguments, **settings)
    return caught.value.problems


def positive_only(reviews: Rows) -> Rows:
    return [row for row in reviews if row[1] == "1"]


def test_rows_like_those_before_pass_and_all_numbers_are_kept(balanced: Window, reviews: Rows, make_window) -> None:
    report = make_window(reviews[1400:2300], reviews[2300:2800]).gate(balanced.model)
    assert (report.warnings, report.notes) == ([], [])
    assert {finding.outcome for finding in report.findings} == {"passed"}
    checks = [(finding.check, finding.split) for finding in report.findings]
    kinds = ("label", "text_length", "vocabulary", "unknown_token")
    assert checks == [
        *((check, "train") for check in ("min_rows", "min_classes", "min_rows_per_class")),
        *((f"{kind}_skew", "eval") for kind in kinds),
        *((f"{kind}_drift", split) for split in ("train", "eval") for kind in kinds),
    ]
    assert all(finding.value is not None and finding.limit is not None for finding in report.findings)


def test_a_newest_night_of_one_class_is_stopped_with_its_numbers(balanced: Window, reviews: Rows, make_window) -> None:
    bad = make_window(reviews[:900], positive_only(reviews)[:450])
    (problem,) = stopped(bad, balanced.model)
    share = sum(label == "1" for _, label in reviews[900:1400]) / 500
    assert problem == (
        "data_gate.label_drift: the labels of the eval rows differ from those of the live model's eval rows by "
        f"{1 - share:.3f} (largest difference in share); at most 0.2 is allowed; most: "
        f"'0' from {1 - share:.1%} to 0.0%, '1' from {share:.1%} to 100.0%; "
        'if that is as it should be, set data_gate.label_drift.action = "warn"'
    )
    warned = bad.gate(balanced.model, label_drift="warn").warnings
    assert [warning.split(":")[0] for warning in warned] == ["data_gate.label_skew", "data_gate.label_drift"]
    assert bad.gate(balanced.model, label_drift="off", label_skew="off").warnings == []
    assert bad.gate(balanced.model, label_drift=0.6, label_skew="off").warnings == []


def test_without_a_live_model_there_is_no_drift(reviews: Rows, make_window) -> None:
    report = make_window(reviews[:900], positive_only(reviews)[:450]).gate()
    assert report.notes == ["drift: there is no live model to compare with"]
    (warning,) = report.warnings
    assert warning.startswith(
        "data_gate.label_skew: the labels of the eval rows differ from those of the train rows by"
    )


def test_a_live_model_from_before_there_were_profiles(balanced: Window, tmp_path: Path) -> None:
    model = standard_artifacts.Model()
    model.uri = str(tmp_path)
    file = tmp_path / "Format-Serving" / "assets.extra" / "data_profile.json"
    assert balanced.gate(model).notes == [f"drift: the live model has no {file} to compare with"]
    file.parent.mkdir(parents=True)
    file.write_text('{"tokenizer": 7}')
    assert stopped(balanced, model) == [f"{file}: is not a data profile: Input should be a valid string"]


def test_texts_cut_to_three_words(balanced: Window, reviews: Rows, make_window) -> None:
    def cut(rows: Rows) -> Rows:
        return [(" ".join(text.split()[:3]), label) for text, label in rows]

    short = make_window(cut(reviews[:900]), cut(reviews[900:1400]))
    problems = stopped(short, balanced.model)
    assert [problem.split(": ")[0] for problem in problems] == ["data_gate.text_length_drift"] * 2
    assert "Jensen-Shannon divergence); at most 0.1 is allowed; most: texts of " in problems[0]


def test_texts_of_another_kind(balanced: Window, reviews: Rows, make_window) -> None:
    def shouted(rows: Rows) -> Rows:
        return [("☃ " * 5 + "?!" * 10 + text, label) for text, label in rows]

    problems = stopped(make_window(shouted(reviews[:900]), reviews[900:1400]), balanced.model, vocabulary_drift=0.1)
    assert [problem.split(": ")[0] for problem in problems] == [
        "data_gate.text_length_drift", "data_gate.vocabulary_drift", "data_gate.unknown_token_drift"
    ]  # fmt: skip
    assert "most: '?' from 0.0% to 15.7%, '!' from 0.0% to 15.7%" in problems[1]
    assert "(difference in share); at most 0.02 is allowed; from 0.00% to " in problems[2]


def test_few_rows_are_not_compared(balanced: Window, reviews: Rows, make_window) -> None:
    few = make_window(reviews[:900], positive_only(reviews)[:300])
    assert few.gate(balanced.model).notes == [
        "skew: the train and eval rows are too few to compare: 900 and 300; data_gate.compare_from_rows = 400",
        "drift: the live model's and this run's eval rows are too few to compare: 500 and 300; "
        "data_gate.compare_from_rows = 400",
    ]
    assert len(stopped(few, balanced.model, compare_from_rows=300)) == 1


def test_another_tokenizers_texts_are_not_compared(
    balanced: Window, reviews: Rows, make_window, tmp_path: Path
) -> None:
    cased = make_window(reviews[:900], positive_only(reviews)[:450], lower_case=False)
    assert [problem.split(": ")[0] for problem in stopped(cased, balanced.model)] == ["data_gate.label_drift"]
    report = cased.gate(balanced.model, label_drift="warn")
    assert report.notes == [
        "drift: the live model has another tokenizer; text lengths and word pieces are not compared"
    ]


def test_too_few_rows_and_classes(balanced: Window) -> None:
    assert stopped(balanced, min_rows=1000, min_classes=3, min_rows_per_class=600) == [
        "data_gate.min_rows: there are 900 train rows; at least 1,000 are required; bring more rows, or lower it",
        "data_gate.min_classes: the train rows have 2 classes; at least 3 are required; bring more rows, or lower it",
        "data_gate.min_rows_per_class: too few train rows of '0' (429 rows), '1' (471 rows); "
        "at least 600 are required; bring more rows, or lower it",
    ]
    assert len(balanced.gate(min_rows={"at_least": 1000, "action": "warn"}).warnings) == 1
    assert balanced.gate(min_rows={"at_least": 1000, "action": "off"}).warnings == []


READ = {"sentence": [[b"good"], [b"bad"]], "positive": [[b"yes"], [b"no"]]}


def test_each_anomaly_of_a_column_that_the_model_reads_stops_the_run(balanced: Window) -> None:
    odd = balanced.with_anomalies(
        {"train": READ, "eval": {"sentence": [[b"good"], None], "positive": [[b"yes"], [b"perhaps"]]}}
    )
    label, text = stopped(odd)
    assert label == (
        "data_gate.on_anomalies: column 'positive' of the eval rows: Unexpected string values: "
        "Examples contain values missing from the schema: perhaps (~50%); mend the rows or the schema, "
        'or set data_gate.on_anomalies = "warn"'
    )
    assert text.startswith(
        "data_gate.on_anomalies: column 'sentence' of the eval rows: Column dropped: The feature was"
    )
    assert len(odd.gate(on_anomalies="warn").warnings) == 2
    assert odd.gate(on_anomalies="off").warnings == []


def test_what_an_inferred_schema_cannot_know_stops_nothing(balanced: Window) -> None:
    columns = {
        "train": READ | {"source": [[b"web"], [b"web"]]},
        "eval": READ | {"sentence": [[b"fine"], [b"poor"]], "source": [[b"phone"], None]},
    }
    other = balanced.with_anomalies(columns)
    (warning,) = other.gate().warnings
    assert "column 'source' of the eval rows: Column dropped" in warning
    assert "Unexpected string" not in warning
    # A schema that somebody wrote means what it says.
    assert [problem.split(" of ")[0] for problem in stopped(other, inferred_of=None)] == [
        "data_gate.on_anomalies: column 'sentence'", "data_gate.on_anomalies: column 'source'"
    ]  # fmt: skip


def test_rows_of_which_there_should_be_more(balanced: Window) -> None:
    given = schema_pb2.Schema()
    given.dataset_constraints.min_examples_count = 10
    for column in READ:
        given.feature.add(name=column, type=schema_pb2.BYTES)
    small = balanced.with_anomalies({"train": READ, "eval": READ}, given)
    problems = stopped(small, inferred_of=ColumnSettings(text=["sentence"], label="positive"))
    assert [problem.split(": ")[1] for problem in problems] == [
        "all rows of the train rows",
        "all rows of the eval rows",
    ]
