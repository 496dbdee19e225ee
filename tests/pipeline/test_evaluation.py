"""What is read out of Evaluator's artifact."""

import math
from collections.abc import Callable

import pytest

from pipeline.config import PipelineConfig
from pipeline.evaluation import read_evaluation

pytestmark = pytest.mark.slow

MakeConfig = Callable[..., PipelineConfig]
Evaluate = Callable[..., str]


@pytest.fixture(scope="module")
def two_classes(make_config: MakeConfig, evaluate: Evaluate) -> str:
    """Four rows, which are just enough, and five slices of them."""
    thresholds = {
        "accuracy": {"at_least": 0.7, "no_worse_than_live_by": 0.0},
        "macro_f1": {"at_least": 0.75},
        "loss": {"at_most": 0.1},
    }
    return evaluate(
        make_config(thresholds, slices=[["city"], ["city", "year"]], minimum_examples=4),
        [0, 1, 1, 0],
        [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]],
        city=["Bern", "Bern", "Rome", "Rome"],
        year=["1", "1", "1", "2"],
    )


def test_metrics_and_missed_bounds(two_classes: str) -> None:
    found = read_evaluation(two_classes, ["no", "yes"])

    loss = -(math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.7)) / 4
    assert found.metrics == pytest.approx(
        {
            "accuracy": 0.75,
            "macro_f1": (0.8 + 2 / 3) / 2,
            "auc": 1.0,
            "loss": loss,
            "example_count": 4,
            "precision/no": 2 / 3,
            "recall/no": 1.0,
            "precision/yes": 1.0,
            "recall/yes": 0.5,
        },
        abs=1e-6,
    )
    assert set(found.slices) == {"city=Bern", "city=Rome", "city=Bern,year=1", "city=Rome,year=1", "city=Rome,year=2"}
    rome = found.slices["city=Rome"]
    assert set(rome) == {"accuracy", "macro_f1", "auc", "loss", "example_count"}
    # The slice misses the bound that all rows together meet.
    assert (rome["accuracy"], rome["example_count"]) == (0.5, 2)
    assert found.live == {}
    assert sorted(found.missed) == [
        f"loss is {loss:.4f}; at most 0.1 is allowed",
        "macro_f1 is 0.7333; at least 0.75 is required",
    ]


def test_a_class_without_a_name_is_called_by_its_number(two_classes: str) -> None:
    found = read_evaluation(two_classes, ["no"])
    assert {name for name in found.metrics if "/" in name} == {
        f"{metric}/{label}" for metric in ("precision", "recall") for label in ("no", "1")
    }


def test_comparison_with_the_live_model(make_config: MakeConfig, evaluate: Evaluate) -> None:
    thresholds = {
        "accuracy": {"no_worse_than_live_by": 0.2},
        "macro_f1": {"no_worse_than_live_by": 0.9},
        "loss": {"no_worse_than_live_by": 0.05},
        "auc": {"at_least": 0.1, "no_worse_than_live_by": 0.1},
    }
    good, bad = [0.9, 0.1], [0.2, 0.8]
    folder = evaluate(make_config(thresholds), [0, 0, 0, 0], [good, good, good, bad], live=[good] * 4)
    found = read_evaluation(folder, ["no", "yes"])

    assert (found.metrics["accuracy"], found.live["accuracy"]) == (0.75, 1.0)
    names = {"accuracy", "macro_f1", "loss", "example_count", "precision/no", "recall/no"}
    # One class has no AUC, and no name is added for the difference to the live model.
    assert set(found.live) == names
    assert set(found.metrics) == names | {"precision/yes", "recall/yes"}
    assert (found.metrics["precision/yes"], found.metrics["recall/yes"]) == (0.0, 0.0)
    worse = (math.log(0.9) - math.log(0.2)) / 4
    assert sorted(found.missed) == [
        "accuracy is 0.2500 worse than the live model's; at most 0.2 is allowed",
        "auc could not be measured on these rows, and it has a threshold",
        f"loss is {worse:.4f} worse than the live model's; at most 0.05 is allowed",
    ]


def test_three_classes_have_no_auc_whose_threshold_is_never_met_and_three_rows_may_be_too_few(
    make_config: MakeConfig, evaluate: Evaluate
) -> None:
    config = make_config({"auc": {"at_least": 0.1}}, slices=[["city"]], minimum_examples=4)
    folder = evaluate(config, [0, 1, 2], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], city=["a", "a", "b"])
    found = read_evaluation(folder, ["no", "yes"])
    assert {name for name in found.metrics if "/" in name} == {
        f"{metric}/{label}" for metric in ("precision", "recall") for label in ("no", "yes", "2")
    }
    assert found.missed == [
        "there are 3 evaluation rows; evaluate.minimum_examples = 4",
        "auc could not be measured on these rows, and it has a threshold",
    ]


def test_thresholds_of_slices_name_the_slice(make_config: MakeConfig, evaluate: Evaluate) -> None:
    good, bad = [0.9, 0.1], [0.2, 0.8]
    wanted = [
        {"slice": {"city": "Rome"}, "metric": "accuracy", "at_least": 0.7},
        {"slice": {"city": "Bern"}, "metric": "accuracy", "at_least": 0.7},
        {"slice": {"city": "Oslo", "year": 2024}, "metric": "accuracy", "at_least": 0.7},
        {"columns": ["year"], "metric": "accuracy", "no_worse_than_live_by": 0.3},
    ]
    folder = evaluate(
        make_config({"accuracy": {"at_least": 0.1}}, slice_thresholds=wanted),
        [0, 0, 0, 0],
        [good, good, good, bad],
        live=[good] * 4,
        city=["Bern", "Bern", "Rome", "Rome"],
        year=["1", "1", "1", "2"],
    )
    found = read_evaluation(folder, ["no", "yes"])
    assert set(found.slices) == {"city=Bern", "city=Rome", "year=1", "year=2"}
    assert sorted(found.missed) == [
        "no evaluation row has city=Oslo,year=2024, which evaluate.slice_thresholds names",
        "rows with city=Rome: accuracy is 0.5000; at least 0.7 is required",
        "rows with year=2: accuracy is 1.0000 worse than the live model's; at most 0.3 is allowed",
    ]
