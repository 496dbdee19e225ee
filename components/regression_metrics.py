"""TFMA metric of a regressor: whether it is better than always predicting the mean."""

import math
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.thresholds import BASELINE_P_VALUE, BASELINES

# A shift `s`, and the sums of products of (1, y - s, (y - s)^2 - e^2) over the rows with label y and error e.
_Sums = tuple[float, npt.NDArray[np.float64]]


class MeanBaseline(metric_types.Metric):
    """The mean squared error of always predicting the mean label, and a p-value of the model being no better.

    A one-sided paired t-test of the differences between the squared errors. It is the test of Diebold and Mariano,
    "Comparing predictive accuracy" (1995), for forecasts without autocorrelation. The mean is that of the evaluation
    rows themselves, so the baseline is a little better than it could be in practice.
    """

    def __init__(self, name: str = BASELINE_P_VALUE) -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


metric_types.register_metric(MeanBaseline)


def _computations(
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    key = metric_types.MetricKey(name, model_name, output_name, example_weighted=example_weighted)
    baseline = key._replace(name=BASELINES["regression"].value)
    combiner = _SquaredErrors(key, baseline, eval_config)
    return [metric_types.MetricComputation(keys=[key, baseline], preprocessors=None, combiner=combiner)]


class _SquaredErrors(beam.CombineFn):
    """Sums up what the test needs, in one pass over the rows.

    The mean is only known after the last row. Sums around another number can be converted to sums around the mean, and
    lose no digits if that number is some row's label.

    Args:
        p_value: The key of the p-value.
        baseline: The key of the baseline's mean squared error.
        eval_config: TFMA's, which says where labels and predictions are.
    """

    def __init__(
        self,
        p_value: metric_types.MetricKey,
        baseline: metric_types.MetricKey,
        eval_config: config_pb2.EvalConfig | None,
    ) -> None:
        self._p_value = p_value
        self._baseline = baseline
        self._eval_config = eval_config

    def create_accumulator(self) -> _Sums:
        return 0.0, np.zeros((3, 3))

    def add_input(self, accumulator: _Sums, element: metric_types.StandardMetricInputs) -> _Sums:
        shift, sums = accumulator
        for label, prediction, _ in metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._p_value.model_name,
            output_name=self._p_value.output_name,
        ):
            target, error = float(label.item()), float(label.item()) - float(prediction.item())
            if sums[0, 0] == 0:
                shift = target
            row = np.array([1, target - shift, (target - shift) ** 2 - error**2])
            sums = sums + np.outer(row, row)
        return shift, sums

    def merge_accumulators(self, accumulators: Iterable[_Sums]) -> _Sums:
        filled = [(shift, sums) for shift, sums in accumulators if sums[0, 0]] or [self.create_accumulator()]
        shift = filled[0][0]
        return shift, sum((_shifted(each, shift) for each in filled), np.zeros((3, 3)))

    def extract_output(self, accumulator: _Sums) -> dict[metric_types.MetricKey, float]:
        shift, sums = accumulator
        rows = sums[0, 0]
        if rows == 0:
            return {self._p_value: math.nan, self._baseline: math.nan}
        sums = _shifted(accumulator, shift + sums[0, 1] / rows)
        return {self._p_value: _p_value(sums), self._baseline: float(sums[1, 1] / rows)}


def _shifted(accumulator: _Sums, shift: float) -> npt.NDArray[np.float64]:
    """The same sums around another shift."""
    old, sums = accumulator
    by = shift - old
    change = np.array([[1, 0, 0], [-by, 1, 0], [by**2, -2 * by, 1]])
    return change @ sums @ change.T


def _p_value(sums: npt.NDArray[np.float64]) -> float:
    """The probability of such a gain over the baseline, or a larger one, if the model were no better.

    Args:
        sums: Around the mean label, so that `sums[0, 2]` is by how much the model's squared errors are smaller.
    """
    rows, gain, squared_gain, total = sums[0, 0], sums[0, 2], sums[2, 2], sums[1, 1]
    if rows < 2 or total == 0:
        return 1.0
    # A spread of next to nothing would make a rounding error significant.
    spread = max(math.sqrt(max(squared_gain - gain**2 / rows, 0.0)), 1e-9 * total)
    return float(student_t.sf(gain / spread * math.sqrt((rows - 1) / rows), rows - 1))
