"""The baseline of a regressor as TFMA measures it, against SciPy on all rows at once."""

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from scipy.stats import ttest_1samp
from tensorflow_model_analysis.proto import config_pb2

from components.regression_metrics import MeanBaseline


def combiner() -> beam.CombineFn:
    (computation,) = MeanBaseline().computations(eval_config=config_pb2.EvalConfig())
    return computation.combiner


def measure(labels: np.ndarray, predictions: np.ndarray, bundles: int = 3) -> dict[str, float]:
    """The metric of rows that several workers counted."""
    combine = combiner()
    accumulators = [combine.create_accumulator()]
    for rows in np.array_split(np.arange(len(labels)), bundles):
        accumulator = combine.create_accumulator()
        for row in rows:
            inputs = tfma.metrics.StandardMetricInputs(
                label=np.array([labels[row]]), prediction=np.array([predictions[row]])
            )
            accumulator = combine.add_input(accumulator, inputs)
        accumulators.append(accumulator)
    return {key.name: value for key, value in combine.extract_output(combine.merge_accumulators(accumulators)).items()}


def expected(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    by_mean = (labels - labels.mean()) ** 2
    p_value = ttest_1samp(by_mean - (labels - predictions) ** 2, 0, alternative="greater").pvalue
    return {"baseline_mse": by_mean.mean(), "baseline_p_value": p_value}


@pytest.mark.parametrize("offset", [0.0, -1e6])
@pytest.mark.parametrize(("signal", "noise"), [(1.0, 0.1), (0.2, 0.3), (0.0, 0.1), (-1.0, 0.1)])
def test_it_is_a_paired_t_test_of_squared_errors(signal: float, noise: float, offset: float) -> None:
    rng = np.random.default_rng(0)
    labels = rng.normal(size=60)
    predictions = signal * labels + noise * rng.normal(size=60)
    assert measure(labels + offset, predictions + offset) == pytest.approx(expected(labels, predictions), rel=1e-6)


def test_no_model_is_better_than_the_mean_where_nothing_can_be_told() -> None:
    labels = np.array([1.0, 2.0, 4.0])
    assert measure(labels, np.full(3, labels.mean()))["baseline_p_value"] == pytest.approx(0.5, abs=1e-3)
    assert measure(labels, np.full(3, 2.5))["baseline_p_value"] > 0.5
    assert measure(np.full(3, 2.0), np.full(3, 2.0)) == {"baseline_mse": 0.0, "baseline_p_value": 1.0}
    assert measure(labels[:1], labels[:1]) == {"baseline_mse": 0.0, "baseline_p_value": 1.0}


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_prediction_that_is_no_number_makes_it_unknown(wrong: float) -> None:
    found = measure(np.array([1.0, 2.0, 4.0]), np.array([1.0, wrong, 4.0]))
    assert np.isnan(found["baseline_p_value"])


def test_tfma_finds_labels_and_predictions_of_each_slice() -> None:
    rng = np.random.default_rng(1)
    labels = rng.normal(size=40).astype(np.float32)
    rows = pd.DataFrame({"label": labels, "prediction": labels + rng.normal(size=40).astype(np.float32) / 2})
    rows["city"] = ["Bern"] * 30 + ["Rome"] * 10
    config = config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(label_key="label", prediction_key="prediction")],
        slicing_specs=[config_pb2.SlicingSpec(), config_pb2.SlicingSpec(feature_keys=["city"])],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[config_pb2.MetricConfig(class_name="MeanBaseline", module=MeanBaseline.__module__)]
            )
        ],
    )
    found = {
        dict(key).get("city"): {name: value["doubleValue"] for name, value in outputs[""][""].items()}
        for key, outputs in tfma.analyze_raw_data(rows, config).slicing_metrics
    }
    for city, metrics in found.items():
        part = rows[rows["city"] == city] if city else rows
        values = (part[name].to_numpy().astype(np.float64) for name in ("label", "prediction"))
        assert metrics == pytest.approx(expected(*values), rel=1e-6)
    assert set(found) == {None, "Bern", "Rome"}
