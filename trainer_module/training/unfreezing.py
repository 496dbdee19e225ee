"""Follows a freeze plan through the epochs: which variables train now, and how fast each learns."""

import logging
from collections.abc import Callable

import tensorflow as tf

from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.optimizer import Course
from trainer_module.training.schedule import Stage

_log = logging.getLogger("permafrost.unfreezing")


def begin_stage(stage: Stage, classifier: BertClassifier, plan: FreezePlan) -> None:
    """Makes a classifier train what the plan says for a stage.

    Gradual unfreezing as in Howard & Ruder 2018 (ULMFiT), 3.3. A variable that doesn't train in a stage gets no
    gradient, no weight decay and, if its whole part doesn't train, no dropout.
    """
    classifier.train_only(stage.trains)
    training = [variable for variable in plan.variables if variable.name in stage.trains]
    _log.info(
        "from epoch %d on: %d of %d variables of the encoder train, %d of %d parameters",
        stage.first + 1,
        len(training),
        len(plan.variables),
        sum(variable.parameters for variable in training),
        plan.model.parameters,
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
