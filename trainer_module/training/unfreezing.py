"""Follows a freeze plan through the epochs: which variables train now, and how fast each learns."""

import logging
from collections.abc import Callable

import tensorflow as tf
import tf_keras as keras

from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.optimizer import Course

_log = logging.getLogger("permafrost.unfreezing")


class UnfreezeOnSchedule(keras.callbacks.Callback):
    """Makes a `BertClassifier` train what the plan says at the start of each of its stages.

    Gradual unfreezing as in Howard & Ruder 2018 (ULMFiT), 3.3. A variable that doesn't train in a stage gets no
    gradient, no weight decay and, if its whole part doesn't train, no dropout.

    Args:
        plan: What trains, and from which epoch on.
    """

    def __init__(self, plan: FreezePlan) -> None:
        super().__init__()
        self._plan = plan

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch not in self._plan.stages:
            return
        names = self._plan.trains_in(epoch)
        self.model.train_only(names)
        # What a trace differentiates and drops out is fixed in it; `fit` looks the function up at every step.
        self.model.make_train_function(force=True)
        training = [variable for variable in self._plan.variables if variable.name in names]
        _log.info(
            "from epoch %d on: %d of %d variables of the encoder train, %d of %d parameters",
            epoch + 1,
            len(training),
            len(self._plan.variables),
            sum(variable.parameters for variable in training),
            self._plan.model.parameters,
        )


def courses(plan: FreezePlan, classifier: BertClassifier, steps_per_epoch: int) -> Callable[[tf.Variable], Course]:
    """The course of each of a classifier's variables under a plan; the head's is the default."""
    variables = classifier.encoder.hub_variables
    by_reference = {
        variables[planned.name].ref(): Course(planned.lr, (planned.until_epoch or 0) * steps_per_epoch)
        for planned in plan.variables
        if planned.trainable
    }

    def course_of(variable: tf.Variable) -> Course:
        return by_reference.get(variable.ref(), Course())

    return course_of
