"""Fits a classifier on tokenized rows."""

import math
from collections.abc import Mapping

import tensorflow as tf
import tf_keras as keras

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.rule_resolution import refuse_thawing_after_training
from trainer_module.settings import BertSettings
from trainer_module.training.batches import evaluation_dataset, training_dataset
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.optimizer import make_optimizer
from trainer_module.training.progress import LogProgress
from trainer_module.training.rows import Rows
from trainer_module.training.unfreezing import UnfreezeOnSchedule, courses


def train(
    classifier: BertClassifier,
    train_rows: Rows,
    eval_rows: Rows,
    settings: BertSettings,
    plan: FreezePlan,
    log_dir: str,
) -> keras.callbacks.History:
    """Trains in place.

    Args:
        classifier: What trains.
        train_rows: At least one row.
        eval_rows: Measured after each epoch.
        settings: How long and how fast.
        plan: What of the encoder trains, from which epoch on, and at which multiple of the learning rate. Early
            stopping waits for its last stage.
        log_dir: For TensorBoard.

    Raises:
        UserError: There are no rows to train on, a row's label is no class, training ends before a rule lets its
            selection train, or the loss became NaN.
    """
    if not len(train_rows) or not len(eval_rows):
        raise UserError("data: no rows to train or to evaluate on; both splits need at least one")
    _refuse_unknown_labels({"train": train_rows, "eval": eval_rows})
    steps_per_epoch = math.ceil(len(train_rows) / settings.batch_size)
    total_steps = settings.steps or settings.epochs * steps_per_epoch
    epochs = math.ceil(total_steps / steps_per_epoch)
    refuse_thawing_after_training(
        plan.rules,
        epochs,
        f" (train.steps is {settings.steps}, an epoch has {steps_per_epoch})" if settings.steps else "",
    )
    optimizer = make_optimizer(settings, total_steps, courses(plan, classifier, steps_per_epoch))
    classifier.compile(optimizer, *_loss_and_metrics(settings))
    evaluation = evaluation_dataset(eval_rows, settings.batch_size)
    _create_variables(classifier, evaluation)
    history = classifier.fit(
        training_dataset(train_rows, settings.batch_size, settings.seed, epochs),
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        validation_data=evaluation,
        callbacks=_callbacks(settings, plan, total_steps, log_dir),
        verbose=0,
    )
    if not math.isfinite(history.history["loss"][-1]):
        raise UserError(
            f"train.learning_rate: the loss became {history.history['loss'][-1]} with {settings.learning_rate:g}; "
            "try a tenth of it"
        )
    return history


def _refuse_unknown_labels(splits: Mapping[str, Rows]) -> None:
    unknown = {name: int((rows.labels < 0).sum()) for name, rows in splits.items() if rows.labels.dtype.kind == "i"}
    problems = [
        f"data.label: {count} of {len(splits[name])} {name} rows have no label, or one that never occurs in train; "
        "correct or drop them"
        for name, count in unknown.items()
        if count
    ]
    if problems:
        raise UserError(problems)


def _create_variables(classifier: BertClassifier, evaluation: tf.data.Dataset) -> None:
    """Creates the head's, the metrics' and the optimizer's variables, or TensorFlow traces the training step twice."""
    classifier.evaluate(evaluation, steps=1, verbose=0)
    classifier.optimizer.build(classifier.trainable_variables)


def _loss_and_metrics(settings: BertSettings) -> tuple[keras.losses.Loss, list[str]]:
    if settings.task == "regression":
        return keras.losses.MeanSquaredError(), ["mae"]
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]


def _callbacks(
    settings: BertSettings, plan: FreezePlan, total_steps: int, log_dir: str
) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = [
        UnfreezeOnSchedule(plan),
        keras.callbacks.TensorBoard(log_dir, write_graph=False, profile_batch=0),
        keras.callbacks.TerminateOnNaN(),
        LogProgress(total_steps),
    ]
    if settings.steps is not None:
        callbacks.append(_StopAfter(total_steps))
    if settings.early_stopping_patience is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss",
                patience=settings.early_stopping_patience,
                restore_best_weights=True,
                # Before, it could end training, or go back to weights, that the plan's last stage never changed.
                start_from_epoch=plan.stages[-1],
            )
        )
    return callbacks


class _StopAfter(keras.callbacks.Callback):
    """Stops in the middle of an epoch."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._left -= 1
        if self._left <= 0:
            self.model.stop_training = True
