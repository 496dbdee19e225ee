"""What of a training has to be kept to go on with it: only what changes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from trainer_module.training.classifier import BertClassifier
from trainer_module.training.early_stopping import PatientStopping
from trainer_module.training.optimizer import CourseAdamW

Facts = dict[str, Any]
Arrays = dict[str, np.ndarray]

_TRAINED, _OPTIMIZER, _BEST, _METRICS = "trained", "optimizer", "best", "metrics"


class TrainingState:
    """The variables that train, the optimizer's, and what the callbacks remember. Nothing that is frozen.

    Args:
        classifier: With its head.
        optimizer: Built for all that ever trains.
        history: Of the epochs that were completed.
        stopping: Where training may stop early.
    """

    def __init__(
        self,
        classifier: BertClassifier,
        optimizer: CourseAdamW,
        history: keras.callbacks.History,
        stopping: PatientStopping | None,
    ) -> None:
        self._classifier = classifier
        self._optimizer = optimizer
        self._history = history
        self._stopping = stopping

    def capture(self, *, within_epoch: bool) -> tuple[Facts, Arrays]:
        """All that is needed to go on; with the metrics' running sums, where an epoch goes on."""
        facts = self._facts()
        arrays = self._trained() | _numbered(_OPTIMIZER, self._of_optimizer())
        if self._stopping:
            facts["stopping"] = self._stopping.facts()
            arrays |= _numbered(_BEST, self._stopping.best_of(self._classifier))
        if within_epoch:
            arrays |= _numbered(_METRICS, self._of_metrics())
        return facts, arrays

    def capture_result(self) -> tuple[Facts, Arrays]:
        """What training has come to, after its end."""
        return self._facts(), self._trained()

    def restore(self, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """The opposite of both, but for the metrics."""
        for variable in self._classifier.trainable_variables:
            variable.assign(arrays[f"{_TRAINED}/{variable.name}"])
        for variable, values in zip(self._of_optimizer(), _in_order(_OPTIMIZER, arrays), strict=False):
            variable.assign(values)
        # The lists, and not what holds them: `fit` hands the very same history on.
        self._history.history.update({name: list(values) for name, values in facts["history"].items()})
        if self._stopping and "stopping" in facts:
            self._stopping.resume(self._classifier, facts["stopping"], _in_order(_BEST, arrays))

    def restore_metrics(self, arrays: Mapping[str, np.ndarray]) -> None:
        """To be called when the epoch has begun, which sets them to zero."""
        for variable, values in zip(self._of_metrics(), _in_order(_METRICS, arrays), strict=False):
            variable.assign(values)

    def _facts(self) -> Facts:
        history = {name: [float(value) for value in values] for name, values in self._history.history.items()}
        return {"history": history}

    def _trained(self) -> Arrays:
        variables = self._classifier.trainable_variables
        return {f"{_TRAINED}/{variable.name}": variable.numpy() for variable in variables}

    def _of_optimizer(self) -> list[tf.Variable]:
        scale = self._optimizer.loss_scale
        return [*self._optimizer.variables, *(scale.variables if scale else ())]

    def _of_metrics(self) -> list[tf.Variable]:
        return [variable for metric in self._classifier.metrics for variable in metric.variables]


def _numbered(kind: str, values: Sequence[Any]) -> Arrays:
    return {f"{kind}/{index}": np.asarray(value) for index, value in enumerate(values)}


def _in_order(kind: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    count = sum(name.startswith(f"{kind}/") for name in arrays)
    return [arrays[f"{kind}/{index}"] for index in range(count)]
