"""Warm start: what trains begins with the values of the live model, what is frozen with the Hub's."""

import logging
from collections.abc import Sequence

import numpy as np

from trainer_module.audit.plan_in_model import read_plan
from trainer_module.audit.saved_weights import SavedWeights, Unreadable
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.head_in_model import HeadRecord, class_names, read_head
from trainer_module.settings import ModelSettings
from trainer_module.start_record import StartRecord
from trainer_module.training.classifier import BertClassifier

_ONCE = 'train once with train.start_from = "hub"'

_log = logging.getLogger("permafrost.warm_start")


def warm_start(
    classifier: BertClassifier,
    plan: FreezePlan,
    settings: ModelSettings,
    labels: Sequence[bytes],
    live_model: str | None,
) -> StartRecord:
    """Puts the live model's values into the variables that train, now or in a later epoch, and into the head.

    The rows of the head are matched by the names of their classes. Nothing of the model is run.

    Args:
        classifier: As the Hub model has it, with its head. Not to be called in a replica.
        plan: What trains.
        settings: Of the run.
        labels: The class names, in the classifier's order; empty for regression.
        live_model: The folder of its SavedModel, local or remote; None: there is none yet, and nothing changes.

    Raises:
        UserError: The live model can't be read, or is another kind of model; says all that differs.
    """
    if live_model is None:
        _log.info("there is no live model yet: training starts from the Hub model")
        return StartRecord()
    try:
        record = _Continued(live_model, plan, settings).take_over(classifier, class_names(labels))
    except Unreadable as error:
        raise UserError(
            f"train.start_from: the live model {live_model} can't be read ({error}); make another one live, or {_ONCE}"
        ) from None
    _log.info("%s", record.describe())
    return record


class _Continued:
    """A live model that fits the plan and the settings.

    Raises:
        UserError: It doesn't.
        Unreadable: It is damaged.
    """

    def __init__(self, path: str, plan: FreezePlan, settings: ModelSettings) -> None:
        self._path = path
        self._plan = plan
        self._weights = SavedWeights(path)
        carried, head = _read_plan(path), read_head(path)
        if carried is None or head is None:
            raise UserError(
                f"train.start_from: the live model {path} doesn't say what it was trained from: an earlier Permafrost "
                f"exported it, or something else; {_ONCE}"
            )
        differences = [*_model_differences(carried, plan), *_head_differences(head, settings)]
        missing = sorted(set(plan.trainable_names) - set(self._weights.shapes))
        differences += [f"it has no variable {name}" for name in missing]
        if differences:
            raise UserError(
                f"train.start_from: the live model {path} can't be continued: {'; '.join(differences)}; "
                f"change that back, or {_ONCE}"
            )
        self._live_plan = carried
        self._head = head

    def take_over(self, classifier: BertClassifier, classes: Sequence[str]) -> StartRecord:
        variables = classifier.encoder.hub_variables
        for name in self._plan.trainable_names:
            variables[name].assign(self._weights.read(name))
        self._fill_head(classifier, classes)
        return StartRecord(
            live_model=self._path,
            variables=len(self._plan.trainable_names),
            new_classes=tuple(each for each in classes if each not in self._head.classes),
            lost_classes=tuple(each for each in self._head.classes if each not in classes),
            frozen_again=self._frozen_again(),
        )

    def _fill_head(self, classifier: BertClassifier, classes: Sequence[str]) -> None:
        kernel, bias = classifier.head.kernel, classifier.head.bias
        live_kernel, live_bias = self._weights.read(self._head.kernel), self._weights.read(self._head.bias)
        # A regression's one output has no name.
        before = {name: index for index, name in enumerate(self._head.classes or ("",))}
        known = [(index, before[name]) for index, name in enumerate(classes or ("",)) if name in before]
        here, there = (np.array([pair[side] for pair in known], np.int64) for side in (0, 1))
        new_kernel, new_bias = kernel.numpy(), bias.numpy()
        new_kernel[:, here], new_bias[here] = live_kernel[:, there], live_bias[there]
        kernel.assign(new_kernel)
        bias.assign(new_bias)

    def _frozen_again(self) -> tuple[str, ...]:
        trained = set(self._live_plan.trainable_names)
        blocks = [each.block for each in self._plan.variables if not each.trainable and each.name in trained]
        return tuple(dict.fromkeys(blocks))


def _read_plan(path: str) -> FreezePlan | None:
    try:
        return read_plan(path)
    except UserError:
        return None


def _model_differences(live: FreezePlan, plan: FreezePlan) -> list[str]:
    if live.model.hub_digest == plan.model.hub_digest:
        return []
    return [
        f"it was trained from another Hub model, {live.model.hub} ({live.model.hub_digest}); "
        f"model.hub is {plan.model.hub} ({plan.model.hub_digest})"
    ]


def _head_differences(head: HeadRecord, settings: ModelSettings) -> list[str]:
    return [
        f"its model.{key} is {was!r}, not {now!r}"
        for key, was, now in (("task", head.task, settings.task), ("pooling", head.pooling, settings.pooling))
        if was != now
    ]
