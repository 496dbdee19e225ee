"""Fits a classifier on tokenized rows."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.rule_resolution import refuse_thawing_after_training
from trainer_module.settings import BertSettings
from trainer_module.training.batches import evaluation_batches, evaluation_dataset, training_dataset
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.distribution import NOT_DISTRIBUTED, Distribution
from trainer_module.training.frozen_prefix.prefix_cache import PrefixCache, Split
from trainer_module.training.optimizer import make_optimizer
from trainer_module.training.progress import LogProgress
from trainer_module.training.rows import Rows
from trainer_module.training.schedule import Schedule
from trainer_module.training.unfreezing import begin_stage, courses


def train(
    classifier: BertClassifier,
    train_rows: Rows,
    eval_rows: Rows,
    settings: BertSettings,
    plan: FreezePlan,
    log_dir: str,
    distribution: Distribution = NOT_DISTRIBUTED,
) -> keras.callbacks.History:
    """Trains in place.

    However it is distributed, each step has the same rows, each row counts the same, and losses and metrics are those
    of all rows. Without dropout they are a single device's, but for the order of sums; with it they differ as those
    of another seed do, because each replica has dropout of its own.

    Args:
        classifier: What trains; made in the scope of the distribution's strategy.
        train_rows: At least one row.
        eval_rows: Measured after each epoch.
        settings: How long and how fast.
        plan: What of the encoder trains, from which epoch on, and at which multiple of the learning rate. Early
            stopping waits for its last stage.
        log_dir: For TensorBoard.
        distribution: Over which devices and workers. Each worker calls this with the same arguments.

    Raises:
        UserError: There are no rows to train on, a row's label is no class, training ends before a rule lets its
            selection train, or the loss became NaN.
    """
    if not len(train_rows) or not len(eval_rows):
        raise UserError("data: no rows to train or to evaluate on; both splits need at least one")
    _refuse_unknown_labels({"train": train_rows, "eval": eval_rows})
    schedule = Schedule(settings, train_rows.lengths)
    refuse_thawing_after_training(
        plan.rules,
        schedule.epochs,
        f" (train.steps is {settings.steps}, an epoch has {schedule.steps_per_epoch})" if settings.steps else "",
    )
    classifier.encoder.compute_in(tf.as_dtype(settings.compute_dtype))
    classifier.rows_per_step = schedule.rows_per_step
    with distribution.strategy.scope():
        optimizer = make_optimizer(settings, schedule.total_steps, courses(plan, classifier, schedule.steps_per_epoch))
    classifier.compile(optimizer, *_loss_and_metrics(settings))
    history = keras.callbacks.History()
    callbacks = [*_callbacks(settings, plan, schedule.total_steps, log_dir), history]
    stages = schedule.stages(plan)
    eval_batches = evaluation_batches(eval_rows.lengths, settings.batch_size)
    evaluated = np.unique(np.concatenate([distribution.read_here(batch) for batch in eval_batches]))
    splits = [
        Split("train", train_rows, schedule.visited_by(distribution), schedule.epochs),
        Split("eval", eval_rows, evaluated, schedule.epochs),
    ]
    with PrefixCache(classifier, settings, plan, splits, stages) as cache:
        for stage in stages:
            begin_stage(stage, classifier, plan)
            train_source, eval_source = cache.sources(stage)
            evaluation = evaluation_dataset(eval_source, settings.batch_size, distribution)
            _make_functions(classifier, evaluation)
            classifier.fit(
                training_dataset(train_source, partial(schedule.epochs_of, stage), distribution),
                initial_epoch=stage.first,
                epochs=stage.end,
                steps_per_epoch=schedule.steps_per_epoch,
                validation_data=evaluation,
                validation_steps=len(eval_batches) if distribution.replicas > 1 else None,
                callbacks=callbacks,
                verbose=0,
            )
            if classifier.stop_training:
                break
    # Nothing outside of training has a use for other inputs or another dtype than the Hub's.
    classifier.encoder.compute_in(tf.float32)
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


def _make_functions(classifier: BertClassifier, evaluation: Any) -> None:
    """Makes the functions of a stage anew: what trains, and what the inputs are, is fixed when they are traced.

    Also creates the head's, the metrics' and the optimizer's variables, or TensorFlow would trace the training step
    twice.
    """
    classifier.make_train_function(force=True)
    classifier.make_test_function(force=True)
    classifier.evaluate(evaluation, steps=1, verbose=0)
    with classifier.distribute_strategy.scope():
        classifier.optimizer.build(classifier.trainable_variables)


def _loss_and_metrics(settings: BertSettings) -> tuple[keras.losses.Loss, list[str]]:
    if settings.task == "regression":
        return keras.losses.MeanSquaredError(), ["mae"]
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]


def _callbacks(
    settings: BertSettings, plan: FreezePlan, total_steps: int, log_dir: str
) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = [
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
