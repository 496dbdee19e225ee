"""What Evaluator is told to measure and to require."""

import json
import math
from collections.abc import Callable

import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.metric_configs import with_thresholds
from components.evaluator.thresholds import LOWER_IS_BETTER, METRICS, Threshold
from pipeline.config import PipelineConfig
from pipeline.eval_config import make_eval_config
from trainer_module.features import LABEL

MakeConfig = Callable[..., PipelineConfig]


def metrics_of(config: config_pb2.EvalConfig) -> dict[str, config_pb2.MetricConfig]:
    (spec,) = config.metrics_specs
    return {json.loads(metric.config)["name"]: metric for metric in spec.metrics}


def threshold_of(config: PipelineConfig, metric: str) -> config_pb2.MetricThreshold:
    (per_slice,) = metrics_of(make_eval_config(config))[metric].per_slice_thresholds
    return per_slice.threshold


@pytest.mark.parametrize(
    ("task", "prediction", "extra"),
    [("classification", "probabilities", {"per_class"}), ("regression", "prediction", set())],
)
def test_the_serving_signature_is_measured_on_raw_rows(
    make_config: MakeConfig, task: str, prediction: str, extra: set[str]
) -> None:
    config = make_eval_config(make_config(task=task))
    (model,) = config.model_specs
    assert model.signature_name == "serving_default"
    assert list(model.preprocessing_function_names) == ["transform_features"]
    assert (model.label_key, model.prediction_key) == (LABEL, prediction)
    assert set(metrics_of(config)) == {*METRICS[task], *extra, "example_count", "baseline_p_value"}


def test_slices_come_beside_all_rows(make_config: MakeConfig) -> None:
    config = make_eval_config(make_config(slices=[["city"], ["city", "year"]]))
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[], ["city"], ["city", "year"]]


def test_thresholds_hold_for_all_rows_only(make_config: MakeConfig) -> None:
    metrics = metrics_of(make_eval_config(make_config({"accuracy": {"at_least": 0.5}}, slices=[["city"]])))
    (per_slice,) = metrics["accuracy"].per_slice_thresholds
    assert list(per_slice.slicing_specs) == [config_pb2.SlicingSpec()]
    for name, metric in metrics.items():
        assert not metric.HasField("threshold"), "a plain threshold holds for every slice"
        assert bool(metric.per_slice_thresholds) == (name == "accuracy")


@pytest.mark.parametrize(
    ("bounds", "metric", "lower", "upper"),
    [
        ({"at_least": 0.5}, "accuracy", 0.5, math.inf),
        ({"at_most": 0.5}, "loss", -math.inf, 0.5),
        ({"no_worse_than_live_by": 0.1}, "accuracy", -math.inf, math.inf),
        ({"at_least": 0.0}, "auc", 0.0, math.inf),
        ({"at_most": 0.0}, "loss", -math.inf, 0.0),
    ],
)
def test_bounds_on_the_value(
    make_config: MakeConfig, bounds: dict[str, float], metric: str, lower: float, upper: float
) -> None:
    """There always is one: else nothing would be blessed before there is a live model."""
    value = threshold_of(make_config({metric: bounds}), metric).value_threshold
    assert (value.lower_bound.value, value.upper_bound.value) == (lower, upper)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("margin", [0.0, 0.25])
def test_the_change_threshold_allows_a_change_for_the_worse_up_to_the_margin(
    make_config: MakeConfig, task: str, margin: float
) -> None:
    config = make_config({name: {"no_worse_than_live_by": margin} for name in METRICS[task]}, task=task)
    for name in METRICS[task]:
        change = threshold_of(config, name).change_threshold
        if name in LOWER_IS_BETTER:
            assert (change.direction, change.absolute.value) == (config_pb2.MetricDirection.LOWER_IS_BETTER, margin)
        else:
            assert (change.direction, change.absolute.value) == (config_pb2.MetricDirection.HIGHER_IS_BETTER, -margin)
        assert not change.HasField("relative")


def test_no_change_threshold_without_a_margin(make_config: MakeConfig) -> None:
    assert not threshold_of(make_config({"accuracy": {"at_least": 0.5}}), "accuracy").HasField("change_threshold")


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_evaluator_accepts_it_with_and_without_a_live_model(make_config: MakeConfig, task: str) -> None:
    """What TFX's Evaluator does to it before it runs."""
    name = METRICS[task][0]
    given = make_eval_config(make_config({name: {"no_worse_than_live_by": 0.0}}, task=task))

    first = tfma.utils.update_eval_config_with_defaults(given, has_baseline=False, rubber_stamp=True)
    tfma.utils.verify_eval_config(first)
    assert [spec.name for spec in first.model_specs] == [""]
    (per_slice,) = metrics_of(first)[name].per_slice_thresholds
    assert per_slice.threshold.HasField("value_threshold")
    assert not per_slice.threshold.HasField("change_threshold")

    later = tfma.utils.update_eval_config_with_defaults(given, has_baseline=True, rubber_stamp=True)
    tfma.utils.verify_eval_config(later)
    assert [(spec.name, spec.is_baseline) for spec in later.model_specs] == [("candidate", False), ("baseline", True)]
    (per_slice,) = metrics_of(later)[name].per_slice_thresholds
    assert per_slice.threshold.HasField("change_threshold")


def test_thresholds_of_slices_and_a_minimum_of_rows(make_config: MakeConfig) -> None:
    wanted = [
        {"slice": {"city": "Bern", "year": 2024}, "metric": "accuracy", "at_least": 0.5},
        {"columns": ["city"], "metric": "accuracy", "no_worse_than_live_by": 0.1},
    ]
    config = make_eval_config(make_config(slices=[["city"]], slice_thresholds=wanted, minimum_examples=7))
    bern = config_pb2.SlicingSpec(feature_values={"city": "Bern", "year": "2024"})
    cities = config_pb2.SlicingSpec(feature_keys=["city"])
    assert list(config.slicing_specs) == [config_pb2.SlicingSpec(), cities, bern]
    metrics = metrics_of(config)
    rows = [list(each.slicing_specs) for each in metrics["accuracy"].per_slice_thresholds]
    assert rows == [[config_pb2.SlicingSpec()], [bern], [cities]]
    (enough,) = metrics["example_count"].per_slice_thresholds
    assert enough.threshold.value_threshold.lower_bound.value == 7

    changed = with_thresholds(config, {"loss": Threshold(at_most=2)})
    metrics = metrics_of(changed)
    rows = [list(each.slicing_specs) for each in metrics["accuracy"].per_slice_thresholds]
    assert rows == [[bern], [cities]], "those of a run replace those of all rows only"
    assert len(metrics["loss"].per_slice_thresholds) == 1
    assert list(metrics["example_count"].per_slice_thresholds) == [enough]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_model_must_beat_its_baseline_whatever_the_thresholds_of_a_run(make_config: MakeConfig, task: str) -> None:
    required = make_eval_config(make_config(task=task, must_beat_baseline=True))
    other = with_thresholds(required, {METRICS[task][0]: Threshold(no_worse_than_live_by=1)})
    for config in (required, other):
        (significant,) = metrics_of(config)["baseline_p_value"].per_slice_thresholds
        assert list(significant.slicing_specs) == [config_pb2.SlicingSpec()]
        assert significant.threshold.value_threshold.upper_bound.value == 0.05
    optional = make_eval_config(make_config(task=task, must_beat_baseline=False))
    assert not metrics_of(optional)["baseline_p_value"].per_slice_thresholds
