"""What is read out of Evaluator's artifact."""

import math
from collections.abc import Callable

import pytest

from pipeline.config import PipelineConfig
from pipeline.evaluation import Evaluation, read_evaluation

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
            "baseline_accuracy": 0.5,
            "baseline_p_value": 0.5,
            "precision/no": 2 / 3,
            "recall/no": 1.0,
            "precision/yes": 1.0,
            "recall/yes": 0.5,
        },
        abs=1e-6,
    )
    assert set(found.slices) == {"city=Bern", "city=Rome", "city=Bern,year=1", "city=Rome,year=1", "city=Rome,year=2"}
    rome = found.slices["city=Rome"]
    baseline = {"baseline_accuracy", "baseline_p_value"}
    assert set(rome) == {"accuracy", "macro_f1", "auc", "loss", "example_count"} | baseline
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
    names |= {"baseline_accuracy", "baseline_p_value"}
    # One class has no AUC, no row is labelled "yes", and no name is added for the difference to the live model.
    assert set(found.live) == names
    assert set(found.metrics) == names | {"precision/yes"}
    assert found.metrics["precision/yes"] == 0.0
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


@pytest.mark.parametrize(
    ("minimum", "missed"), [(4, []), (5, ["there are 4 evaluation rows; evaluate.minimum_examples = 5"])]
)
def test_too_few_rows_are_no_evaluation(
    make_config: MakeConfig, evaluate: Evaluate, minimum: int, missed: list[str]
) -> None:
    config = make_config({"accuracy": {"at_least": 0.1}}, slices=[["city"]], minimum_examples=minimum)
    folder = evaluate(config, [0, 0, 0, 1], [[0.9, 0.1]] * 4, city=["Bern", "Bern", "Bern", "Rome"])
    assert read_evaluation(folder, ["no", "yes"]).missed == missed


def one_hot(classes: str) -> list[list[float]]:
    return [[float(name == other) for other in "abc"] for name in classes]


@pytest.mark.parametrize(
    ("predicted", "missed", "warnings"),
    [
        ("aaaaaabbbbbc", [], []),
        (
            "bbaaaabaaabc",
            [
                "accuracy 0.5833 isn't better by more than chance than the 0.5000 of always predicting the majority "
                "class of the evaluation rows (12 rows, p = 0.5; at most 0.05 is allowed); "
                "evaluate.must_beat_baseline = false blesses it all the same"
            ],
            [],
        ),
        ("aaaaaabbbbbb", [], ["the model recognises no evaluation row of class 'c'"]),
    ],
)
def test_a_classifier_must_beat_the_majority_class(
    make_config: MakeConfig, evaluate: Evaluate, predicted: str, missed: list[str], warnings: list[str]
) -> None:
    labels = [0] * 6 + [1] * 5 + [2]
    found = read_evaluation(evaluate(make_config(must_beat_baseline=True), labels, one_hot(predicted)), list("abc"))
    assert (found.missed, found.warnings) == (missed, warnings)


@pytest.mark.parametrize(
    ("metrics", "warnings"),
    [
        ({"accuracy": 0.0}, []),
        ({"precision/a": 0.9, "precision/b": 0.9, "recall/a": 0.9, "recall/b": 0.9}, []),
        ({"precision/b": 0.5, "recall/a": 0.0, "recall/b": 1.0}, ["the model predicts 'b' for every evaluation row"]),
        (
            {"precision/a": 0.0, "precision/b": 0.0, "recall/a": 0.0, "recall/b": 0.0},
            ["the model recognises no evaluation row of classes 'a', 'b'"],
        ),
        (
            {f"{metric}/{number:02}": 0.0 for metric in ("precision", "recall") for number in range(77)},
            [
                "the model recognises no evaluation row of classes '00', '01', '02', '03', '04', '05', '06', '07', "
                "'08', '09', '10', '11' and 65 more"
            ],
        ),
    ],
)
def test_classes_that_a_model_ignores_are_remarked_on(metrics: dict[str, float], warnings: list[str]) -> None:
    assert Evaluation(metrics=metrics, slices={}, live={}, missed=[]).warnings == warnings


def test_a_regressor_must_beat_the_mean(make_config: MakeConfig, evaluate: Evaluate) -> None:
    config = make_config(task="regression", must_beat_baseline=True)
    labels = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    good = read_evaluation(evaluate(config, labels, [1.5, 2.5, 2.5, 4.5, 4.5, 5.5]), [])
    assert (good.missed, good.warnings) == ([], [])
    bad = read_evaluation(evaluate(config, labels, [3.0, 4.0, 3.0, 4.0, 3.0, 4.0]), [])
    (reason,) = bad.missed
    assert reason.startswith(
        "mse 2.6667 isn't better by more than chance than the 2.9167 of always predicting the mean of the evaluation "
        "rows (6 rows, p = 0.37;"
    )
    allowed = make_config(task="regression", must_beat_baseline=False)
    assert read_evaluation(evaluate(allowed, labels, [3.0] * 6), []).missed == []
