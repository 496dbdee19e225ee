"""TFMA's results with our metrics, against plain NumPy."""

from collections.abc import Sequence
from math import comb

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

Slices = dict[str, dict[str, float]]
_MODULE = "components.classification_metrics"


def measure(
    labels: np.ndarray,
    probabilities: np.ndarray,
    case: np.ndarray,
    metrics: Sequence[str] = ("MacroF1", "PerClass", "TwoClassAUC"),
) -> Slices:
    """The metrics of all rows (`""`) and of each case; a class's own as `precision/1`."""
    config = config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(label_key="label", prediction_key="probabilities")],
        slicing_specs=[config_pb2.SlicingSpec(), config_pb2.SlicingSpec(feature_keys=["case"])],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[config_pb2.MetricConfig(class_name=name, module=_MODULE) for name in metrics]
            )
        ],
    )
    data = pd.DataFrame({"label": labels, "probabilities": list(probabilities.astype(np.float32)), "case": case})
    result = tfma.analyze_raw_data(data, config)
    slices: Slices = {}
    for key, outputs in result.slicing_metrics:
        found = slices.setdefault(",".join(str(value) for _, value in key), {})
        for sub_key, values in outputs[""].items():
            suffix = sub_key.replace("classId:", "/")
            found.update({name + suffix: float(value["doubleValue"]) for name, value in values.items()})
    return slices


def expected(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """The same without TFMA, but for the AUC."""
    predicted = probabilities.argmax(axis=1)
    metrics: dict[str, float] = {}
    f1 = []
    for index in sorted({*labels.tolist(), *predicted.tolist()}):
        right = float(np.sum((labels == index) & (predicted == index)))
        of_predicted, of_labels = float(np.sum(predicted == index)), float(np.sum(labels == index))
        metrics[f"precision/{index}"] = right / of_predicted if of_predicted else np.nan
        metrics[f"recall/{index}"] = right / of_labels if of_labels else np.nan
        f1.append(2 * right / (of_predicted + of_labels))
    return metrics | {"macro_f1": float(np.mean(f1))}


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs of a positive and a negative in the right order; ties count half."""
    positive, negative = scores[labels == 1][:, None], scores[labels == 0][None, :]
    return float(np.mean((positive > negative) + 0.5 * (positive == negative)))


def probabilities_of(rows: int, classes: int, seed: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(rows, classes)) * 2
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_two_classes() -> None:
    rng = np.random.default_rng(0)
    labels = np.concatenate([rng.integers(0, 2, 200), [0, 1, 0, 0], [1, 1]])
    certain = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.3, 0.7], [0.6, 0.4]])
    probabilities = np.concatenate([probabilities_of(200, 2, seed=1), certain])
    case = np.array(["random"] * 200 + ["never predicted"] * 4 + ["one class"] * 2)
    found = measure(labels, probabilities, case)

    assert set(found) == {"", "random", "never predicted", "one class"}
    for name, metrics in found.items():
        rows = case == name if name else np.ones(len(labels), bool)
        area = metrics.pop("auc")
        assert metrics == pytest.approx(expected(labels[rows], probabilities[rows]), nan_ok=True)
        if name != "one class":
            # TFMA sums trapezoids over 1000 thresholds.
            assert area == pytest.approx(auc(labels[rows], probabilities[rows, 1]), abs=0.005)
        else:
            assert np.isnan(area), "there are no pairs to put in order"
    assert np.isnan(found["never predicted"]["precision/1"])
    assert found["never predicted"]["recall/1"] == 0.0
    assert np.isnan(found["one class"]["recall/0"])
    assert found["one class"]["precision/0"] == 0.0


@pytest.mark.slow
def test_three_classes_have_no_auc() -> None:
    labels = np.concatenate([np.random.default_rng(2).integers(0, 3, 100), [0, 1, 2, 2]])
    flat = np.array([[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.34, 0.33, 0.33], [0.5, 0.5, 0.0]])
    probabilities = np.concatenate([probabilities_of(100, 3, seed=3), flat])
    case = np.array(["random"] * 100 + ["less than half"] * 4)
    found = measure(labels, probabilities, case)

    assert set(found) == {"", "random", "less than half"}
    for name, metrics in found.items():
        rows = case == name if name else np.ones(len(labels), bool)
        assert metrics == pytest.approx(expected(labels[rows], probabilities[rows]), nan_ok=True)
    # The most probable class is the predicted one, however improbable it is.
    assert found["less than half"]["precision/1"] == 1.0
    assert np.isnan(found["less than half"]["precision/2"])
    assert found["less than half"]["recall/2"] == 0.0


def mcnemar(only_model: int, only_baseline: int) -> float:
    """The chance that at least `only_model` of so many fair coins show heads."""
    coins = only_model + only_baseline
    return sum(comb(coins, heads) for heads in range(only_model, coins + 1)) / 2**coins


def test_the_majority_class_and_the_chance_of_being_no_better() -> None:
    cases = {
        # The model is right on each row outside the majority class, and wrong on one within it.
        ("aaaaaabbbbc", "aaaaabbbbbc"): (6 / 11, mcnemar(5, 1)),
        ("aaabb", "aaaaa"): (3 / 5, 1.0),
        ("aaabb", "bbbbb"): (3 / 5, mcnemar(2, 3)),
        # Both classes are as frequent; the model looks worse beside `b`.
        ("aaabbb", "aabbaa"): (1 / 2, max(mcnemar(1, 1), mcnemar(2, 2))),
        ("aaaabbbb", "aaaabbbb"): (1 / 2, mcnemar(4, 0)),
        # Training knew no class `?`.
        ("?????aab", "aaaaaaab"): (2 / 8, mcnemar(1, 0)),
        ("???", "abc"): (0.0, 1.0),
    }
    labels, predicted = (
        np.array(["?abc".index(name) - 1 for name in "".join(each)]) for each in zip(*cases, strict=True)
    )
    case = np.concatenate([[name] * len(name) for _, name in cases])
    found = measure(labels, np.eye(3)[predicted], case, ["MajorityClassBaseline", "PerClass"])
    for (_, name), (accuracy, p_value) in cases.items():
        baseline = {metric: found[name][metric] for metric in ("baseline_accuracy", "baseline_p_value")}
        assert baseline == pytest.approx({"baseline_accuracy": accuracy, "baseline_p_value": p_value}), name
    assert not any(metric.endswith("-1") for metrics in found.values() for metric in metrics)
