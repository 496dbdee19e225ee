"""`run_fn`: from transformed examples to an exported classifier."""

import logging
import os

import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras
from tfx.components.trainer.fn_args_utils import FnArgs

from trainer_module.audit.frozen_check import check_frozen
from trainer_module.audit.variable_record import RECORD_FILE
from trainer_module.encoder import make_encoder
from trainer_module.export import ServingModel, export
from trainer_module.features import LABEL_VOCABULARY
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.plan_check import refuse_other_plan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.full_disk import whole_or_nothing
from trainer_module.hub.hub_model import HubModel
from trainer_module.predictions import PREDICTIONS_FILE, predict
from trainer_module.settings import BertSettings
from trainer_module.start_record import write_start
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.distribution import choose_distribution
from trainer_module.training.rows import read_rows
from trainer_module.training.train import train
from trainer_module.warm_start import warm_start

PLAN_FILE = "freeze_plan.json"
"""The plan that was trained, beside the TensorBoard logs in `model_run_dir`."""

_log = logging.getLogger("permafrost.trainer")


def run_fn(fn_args: FnArgs) -> None:
    """TFX Trainer's entry point (https://www.tensorflow.org/tfx/guide/trainer).

    Args:
        fn_args: `custom_config["bert"]` holds the settings; see `BertSettings`. `train_steps`, where given, bounds
            the training as the setting `steps` does. `base_model`, the live model's folder, counts where the setting
            `start_from` says so.

    Raises:
        UserError: The settings, the model or a freeze rule are wrong, or not what was planned before the run.
        FrozenWeightMoved: A frozen variable isn't what it was: the model is not exported.
    """
    settings = BertSettings.from_custom_config(fn_args.custom_config)
    if fn_args.train_steps and settings.steps is None:
        settings = settings.model_copy(update={"steps": fn_args.train_steps})
    distribution = choose_distribution(settings)
    # Only a Hub model's own program draws from this, and must not draw the same for the rows of another worker.
    keras.utils.set_random_seed(settings.seed + distribution.worker)
    hub_model = HubModel.from_settings(settings)
    plan = plan_freeze(settings, hub_model)
    if settings.freeze_plan is not None:
        refuse_other_plan(settings.freeze_plan, plan)
    _log_plan(plan)

    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    labels = _read_labels(transform_output, settings)
    encoder = make_encoder(hub_model, plan.is_trainable, settings.dropout, distribution.strategy).encoder
    with distribution.strategy.scope():
        classifier = BertClassifier(
            encoder,
            outputs=max(len(labels), 1),
            pooling=settings.pooling,
            dropout=settings.dropout,
            seed=settings.seed,
        )
        if settings.start_from == "live":
            classifier.build_head(plan.model.hidden)
            start = warm_start(classifier, plan, settings, labels, fn_args.base_model)
    with distribution.written_by_chief(fn_args.model_run_dir, fn_args.serving_model_dir) as (run_dir, model_dir):
        eval_rows = read_rows(fn_args.eval_files, transform_output)
        train(
            classifier,
            read_rows(fn_args.train_files, transform_output),
            eval_rows,
            settings,
            plan,
            run_dir,
            distribution,
        )
        if settings.start_from == "live":
            write_start(run_dir, start)
        tf.io.gfile.makedirs(run_dir)  # where training had ended before, nobody has written its logs
        record = check_frozen(plan, hub_model.weights, classifier.encoder.hub_variables)
        with tf.io.gfile.GFile(os.path.join(run_dir, RECORD_FILE), "w") as stream:
            stream.write(record.to_json())
        with tf.io.gfile.GFile(os.path.join(run_dir, PREDICTIONS_FILE), "w") as stream:
            stream.write(predict(classifier, eval_rows, labels).model_dump_json())
        with whole_or_nothing(model_dir, "the model"):
            export(ServingModel(classifier, transform_output, settings, labels), model_dir, plan)
        with tf.io.gfile.GFile(os.path.join(run_dir, PLAN_FILE), "w") as stream:
            stream.write(plan.to_json())


def _read_labels(transform_output: tft.TFTransformOutput, settings: BertSettings) -> list[bytes]:
    if settings.task == "regression":
        return []
    return transform_output.vocabulary_by_name(LABEL_VOCABULARY)


def _log_plan(plan: FreezePlan) -> None:
    for block in plan.blocks():
        _log.info("%s: %d of %d parameters frozen", block.name, block.frozen_params, block.parameters)
    _log.info("%d parameters frozen, %d train", plan.frozen_params, plan.trainable_params)
