"""Metrics of a classifier that need no number of classes beforehand: macro-F1, per-class precision and recall, AUC."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

# Evaluator loads the exported model in this process, and its tokenizer's ops must be registered by then.
import tensorflow_text  # noqa: F401
from tensorflow_model_analysis.metrics import confusion_matrix_metrics, metric_types, metric_util
from tensorflow_model_analysis.metrics.multi_class_confusion_matrix_metrics import (
    Matrices,
    multi_class_confusion_matrices,
)
from tensorflow_model_analysis.proto import config_pb2

MACRO_F1 = "macro_f1"
AUC = "auc"
PRECISION = "precision"
RECALL = "recall"

# TFMA leaves metrics with a leading underscore out of its results.
_PRIVATE_AUC = "_auc_of_second_class"
_AUC_THRESHOLDS = 1000


class ClassificationMetrics(metric_types.Metric):
    """Derived from the confusion matrix of the most probable class.

    Gives `macro_f1` (mean of the classes' F1, over the classes that occur as label or prediction), `precision` and
    `recall` with a `class_id` sub-key per class, and `auc` (ROC) when the model has two classes. A class that was
    never predicted has precision 0, one that never occurs as label recall 0.
    """

    def __init__(self, name: str = "classification_metrics") -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


metric_types.register_metric(ClassificationMetrics)


def _computations(
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    del name  # each metric below has its own
    matrices = multi_class_confusion_matrices(
        thresholds=[-1.0],  # below any probability: the most probable class always counts as predicted
        eval_config=eval_config,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )
    auc = confusion_matrix_metrics.AUC(num_thresholds=_AUC_THRESHOLDS, name=_PRIVATE_AUC).computations(
        eval_config=eval_config,
        model_names=[model_name],
        output_names=[output_name],
        sub_keys=[metric_types.SubKey(class_id=1)],
        example_weighted=example_weighted,
    )
    matrix_key, auc_key = matrices[-1].keys[-1], auc[-1].keys[-1]

    def key(metric: str, class_id: int | None = None) -> metric_types.MetricKey:
        sub_key = None if class_id is None else metric_types.SubKey(class_id=class_id)
        return metric_types.MetricKey(
            metric, model_name, output_name, sub_key, example_weighted=example_weighted
        )

    def result(metrics: Mapping[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, float]:
        counts = _Counts(metrics[matrix_key])
        values = {key(MACRO_F1): counts.macro_f1()}
        for class_id in counts.classes:
            values[key(PRECISION, class_id)] = counts.precision(class_id)
            values[key(RECALL, class_id)] = counts.recall(class_id)
        if counts.classes <= {0, 1}:
            values[key(AUC)] = float(metrics[auc_key])
        return values

    return [*matrices, *auc, metric_types.DerivedMetricComputation(keys=[key(MACRO_F1)], result=result)]


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

    def macro_f1(self) -> float:
        scores = [
            _share(2 * self.right[each], self.labelled[each] + self.predicted[each]) for each in self.classes
        ]
        return sum(scores) / len(scores)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
