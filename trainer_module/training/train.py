"""Fits a classifier on tokenized rows."""

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
from trainer_module.training.checkpoints.checkpoint_writer import CheckpointWriter
from trainer_module.training.checkpoints.checkpoints import Checkpoints
from trainer_module.training.checkpoints.training_digest import training_digest
from trainer_module.training.checkpoints.training_state import TrainingState
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.curves import Curves
from trainer_module.training.distribution import NOT_DISTRIBUTED, Distribution
from trainer_module.training.early_stopping import PatientStopping
from trainer_module.training.finite_loss import RefuseInfiniteLoss
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
        settings: How long and how fast. With `checkpoint_dir`, a training that was killed goes on where it was.
        plan: What of the encoder trains, from which epoch on, and at which multiple of the learning rate. Early
            stopping waits for its last stage.
        log_dir: For TensorBoard.
        distribution: Over which devices and workers. Each worker calls this with the same arguments.

    Raises:
        UserError: There are no rows to train on, a row's label is no class, training ends before a rule lets its
            selection train, or the loss isn't finite any more.
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
        if not classifier.head.built:
            classifier.build_head(plan.model.hidden)
        optimizer = make_optimizer(settings, schedule.total_steps, courses(plan, classifier, schedule.steps_per_epoch))
        optimizer.build(classifier.trainable_variables)
    classifier.compile(optimizer, *_loss_and_metrics(settings))
    history = keras.callbacks.History()
    history.set_model(classifier)
    stopping = _stopping(settings, plan)
    state = TrainingState(classifier, optimizer, history, stopping)
    name = partial(training_digest, classifier, [train_rows, eval_rows], settings, plan, distribution)
    with Checkpoints(settings.checkpoint_dir, name, state, schedule.total_steps, distribution) as checkpoints:
        if not checkpoints.finished:
            writer = CheckpointWriter(checkpoints, settings, schedule, by_clock=distribution.workers == 1)
            callbacks = _callbacks(settings, schedule.total_steps, log_dir, checkpoints)
            callbacks += [*([stopping] if stopping else []), history, writer]
            splits = (train_rows, eval_rows)
            _fit(classifier, splits, settings, plan, schedule, callbacks, checkpoints.step, distribution)
            if stopping:
                stopping.restore_best(classifier)
            checkpoints.write_result(writer.step)
    # Nothing outside of training has a use for other inputs or another dtype than the Hub's.
    classifier.encoder.compute_in(tf.float32)
    return history


def _fit(
    classifier: BertClassifier,
    rows: tuple[Rows, Rows],
    settings: BertSettings,
    plan: FreezePlan,
    schedule: Schedule,
    callbacks: list[keras.callbacks.Callback],
    done: int,
    distribution: Distribution,
) -> None:
    """Trains what is left after `done` steps."""
    train_rows, eval_rows = rows
    stages = schedule.stages(plan)
    eval_batches = evaluation_batches(eval_rows.lengths, settings.batch_size)
    evaluated = np.unique(np.concatenate([distribution.read_here(batch) for batch in eval_batches]))
    splits = [
        Split("train", train_rows, schedule.visited_by(distribution), schedule.epochs),
        Split("eval", eval_rows, evaluated, schedule.epochs),
    ]
    left = [(stage, legs) for stage in stages if (legs := schedule.legs(stage, done))]
    with PrefixCache(classifier, settings, plan, splits, stages) as cache:
        for stage, legs in left:
            begin_stage(stage, classifier, plan)
            train_source, eval_source = cache.sources(stage)
            evaluation = evaluation_dataset(eval_source, settings.batch_size, distribution)
            _make_functions(classifier, evaluation)
            for leg in legs:
                classifier.fit(
                    training_dataset(train_source, partial(schedule.epochs_of, leg), distribution),
                    initial_epoch=leg.first,
                    epochs=leg.end,
                    steps_per_epoch=schedule.steps_per_epoch - leg.skipped,
                    validation_data=evaluation,
                    validation_steps=len(eval_batches) if distribution.replicas > 1 else None,
                    callbacks=callbacks,
                    verbose=0,
                )
                if classifier.stop_training:
                    return


def _refuse_unknown_labels(splits: Mapping[str, Rows]) -> None:
    problems = []
    for name, rows in splits.items():
        if rows.labels.dtype.kind == "i":
            count, wrong = int((rows.labels < 0).sum()), "no label, or one that never occurs in train"
        else:
            count, wrong = int((~np.isfinite(rows.labels)).sum()), "a label that is not a finite number"
        if count:
            problems.append(f"data.label: {count} of {len(rows)} {name} rows have {wrong}; correct or drop them")
    if problems:
        raise UserError(problems)


def _make_functions(classifier: BertClassifier, evaluation: Any) -> None:
    """Makes the functions of a stage anew: what trains, and what the inputs are, is fixed when they are traced.

    Also creates the metrics' variables, or TensorFlow would trace the training step twice.
    """
    classifier.make_train_function(force=True)
    classifier.make_test_function(force=True)
    classifier.evaluate(evaluation, steps=1, verbose=0)


def _loss_and_metrics(settings: BertSettings) -> tuple[keras.losses.Loss, list[str]]:
    if settings.task == "regression":
        return keras.losses.MeanSquaredError(), ["mae"]
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]


def _callbacks(
    settings: BertSettings, total_steps: int, log_dir: str, checkpoints: Checkpoints
) -> list[keras.callbacks.Callback]:
    done = checkpoints.step
    callbacks: list[keras.callbacks.Callback] = [
        RefuseInfiniteLoss(settings, total_steps, done, before_error=checkpoints.forget),
        Curves(log_dir),
        LogProgress(total_steps, done=done),
    ]
    if settings.steps is not None:
        callbacks.append(_StopAfter(total_steps - done))
    return callbacks


def _stopping(settings: BertSettings, plan: FreezePlan) -> PatientStopping | None:
    if settings.early_stopping_patience is None:
        return None
    # Before its last stage, it could end training, or go back to weights, that this stage never changed.
    return PatientStopping(settings.early_stopping_patience, start_from_epoch=plan.stages[-1])


class _StopAfter(keras.callbacks.Callback):
    """Stops in the middle of an epoch."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._left -= 1
        if self._left <= 0:
            self.model.stop_training = True
