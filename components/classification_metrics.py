"""TFMA metrics of a classifier that need not know beforehand how many classes there are."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

# Evaluator loads the exported model in this process, and its tokenizer's ops must be registered by then.
import tensorflow_text  # noqa: F401
from scipy.stats import binomtest
from tensorflow_model_analysis.metrics import confusion_matrix_metrics, metric_types, metric_util
from tensorflow_model_analysis.metrics.multi_class_confusion_matrix_metrics import (
    Matrices,
    multi_class_confusion_matrices,
)
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.thresholds import BASELINE_P_VALUE, BASELINES

# TFMA leaves metrics with a leading underscore out of its results.
_AUC_OF_SECOND_CLASS = "_auc_of_second_class"
_AUC_THRESHOLDS = 1000
_UNKNOWN_LABEL = -1  # the index that Transform gives a label that no training row has

_Values = dict[metric_types.MetricKey, float]


class MacroF1(metric_types.Metric):
    """The mean F1 of the classes that occur, as label or as prediction."""

    def __init__(self, name: str = "macro_f1") -> None:
        super().__init__(_with_confusion_matrix(_macro_f1), name=name)


class PerClass(metric_types.Metric):
    """`precision` and `recall` of each class that occurs, with a `class_id` sub-key.

    The precision of a class that was never predicted is NaN, as is the recall of one that is no row's label. Labels
    that training didn't know (-1) are no class.
    """

    def __init__(self, name: str = "per_class") -> None:
        super().__init__(_with_confusion_matrix(_per_class), name=name)


class TwoClassAUC(metric_types.Metric):
    """Area under the ROC curve of a model with two classes; nothing for a model with more.

    NaN where only one of the two is any row's label.
    """

    def __init__(self, name: str = "auc") -> None:
        super().__init__(_with_confusion_matrix(_two_class_auc), name=name)


class MajorityClassBaseline(metric_types.Metric):
    """The accuracy of always predicting the most frequent label, and a p-value of the model being no better.

    The exact one-sided McNemar test: among the rows that only one of the two gets right, a model that is no better
    than the baseline gets at most half right. See McNemar, "Note on the sampling error of the difference between
    correlated proportions or percentages" (1947), and Dietterich, "Approximate statistical tests for comparing
    supervised classification learning algorithms" (1998).
    """

    def __init__(self, name: str = BASELINE_P_VALUE) -> None:
        super().__init__(_with_confusion_matrix(_majority_class_baseline), name=name)


for _metric in (MacroF1, PerClass, TwoClassAUC, MajorityClassBaseline):
    metric_types.register_metric(_metric)


class _Counts:
    """Totals of one confusion matrix."""

    def __init__(self, matrices: Matrices) -> None:
        self.right: Counter[int] = Counter()
        self.labelled: Counter[int] = Counter()
        self.predicted: Counter[int] = Counter()
        for (actual, predicted), count in next(iter(matrices.values())).items():
            self.labelled[actual] += count
            self.predicted[predicted] += count
            if actual == predicted:
                self.right[actual] += count

    @property
    def classes(self) -> set[int]:
        return set(self.labelled) | set(self.predicted)

    def precision(self, class_id: int) -> float:
        return _share(self.right[class_id], self.predicted[class_id])

    def recall(self, class_id: int) -> float:
        return _share(self.right[class_id], self.labelled[class_id])

    def f1(self, class_id: int) -> float:
        return _share(2 * self.right[class_id], self.labelled[class_id] + self.predicted[class_id])


_FromCounts = Callable[[metric_types.MetricKey, _Counts, Mapping[metric_types.MetricKey, Any]], _Values]


def _with_confusion_matrix(values: _FromCounts) -> Callable[..., metric_types.MetricComputations]:
    """A metric derived from the confusion matrix of the most probable class, per model."""

    def computations(
        name: str,
        eval_config: config_pb2.EvalConfig | None = None,
        model_name: str = "",
        output_name: str = "",
        example_weighted: bool = False,
    ) -> metric_types.MetricComputations:
        needed = multi_class_confusion_matrices(
            thresholds=[-1.0],  # below any probability: the most probable class always counts as predicted
            eval_config=eval_config,
            model_name=model_name,
            output_name=output_name,
            example_weighted=example_weighted,
        )
        matrix_key = needed[-1].keys[-1]
        if values is _two_class_auc:
            needed += confusion_matrix_metrics.AUC(
                num_thresholds=_AUC_THRESHOLDS, name=_AUC_OF_SECOND_CLASS
            ).computations(
                eval_config=eval_config,
                model_names=[model_name],
                output_names=[output_name],
                sub_keys=[metric_types.SubKey(class_id=1)],
                example_weighted=example_weighted,
            )
        key = metric_types.MetricKey(name, model_name, output_name, example_weighted=example_weighted)

        def result(metrics: Mapping[metric_types.MetricKey, Any]) -> _Values:
            return values(key, _Counts(metrics[matrix_key]), metrics)

        return [*needed, metric_types.DerivedMetricComputation(keys=[key], result=result)]

    return metric_util.merge_per_key_computations(computations)


def _macro_f1(key: metric_types.MetricKey, counts: _Counts, metrics: Mapping[metric_types.MetricKey, Any]) -> _Values:
    scores = [counts.f1(class_id) for class_id in counts.classes]
    return {key: sum(scores) / len(scores)}


def _per_class(key: metric_types.MetricKey, counts: _Counts, metrics: Mapping[metric_types.MetricKey, Any]) -> _Values:
    values: _Values = {}
    for class_id in counts.classes - {_UNKNOWN_LABEL}:
        of_class = key._replace(sub_key=metric_types.SubKey(class_id=class_id))
        precision = counts.precision(class_id) if counts.predicted[class_id] else math.nan
        values[of_class._replace(name="precision")] = precision
        values[of_class._replace(name="recall")] = counts.recall(class_id) if counts.labelled[class_id] else math.nan
    return values


def _majority_class_baseline(
    key: metric_types.MetricKey, counts: _Counts, metrics: Mapping[metric_types.MetricKey, Any]
) -> _Values:
    known = {class_id: count for class_id, count in counts.labelled.items() if class_id != _UNKNOWN_LABEL}
    most = max(known.values(), default=0)
    p_values = []
    # Classes of the same size are all baselines of the same accuracy; the model must beat each of them.
    for majority in (class_id for class_id, count in known.items() if count == most):
        only_model = int(sum(counts.right.values()) - counts.right[majority])
        only_baseline = int(most - counts.right[majority])
        if only_model + only_baseline:
            p_values.append(binomtest(only_model, only_model + only_baseline, alternative="greater").pvalue)
    return {
        key: float(max(p_values, default=1.0)),
        key._replace(name=BASELINES["classification"].value): _share(most, sum(counts.labelled.values())),
    }


def _two_class_auc(
    key: metric_types.MetricKey, counts: _Counts, metrics: Mapping[metric_types.MetricKey, Any]
) -> _Values:
    if not counts.classes <= {0, 1}:
        return {}
    if len(counts.labelled) < 2:
        # Not nothing: TFMA would take that in one small slice for a threshold missed on all rows.
        return {key: math.nan}
    of_second_class = key._replace(name=_AUC_OF_SECOND_CLASS, sub_key=metric_types.SubKey(class_id=1))
    return {key: float(metrics[of_second_class])}


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
