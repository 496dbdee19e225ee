"""Our own trainer, as a pipeline's Trainer calls it."""

import logging
import tempfile
from pathlib import Path

import tf_keras as keras

from benchmarks.training.design import BATCH_SIZE, DROPOUT, MAX_TOKENS, SEED, Task
from benchmarks.training.measured import Measured
from benchmarks.training.sst2 import Sst2
from benchmarks.training.token_rows import first, tokenize
from benchmarks.watch import Watch, differences
from trainer_module.audit.frozen_check import check_frozen
from trainer_module.encoder import make_encoder
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.training.batches import evaluation_dataset
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.events import TRAINING_LOGGER
from trainer_module.training.train import train


def measure(task: Task, data: Sst2, model: Path) -> Measured:
    """Trains by the task's freeze rules, with the prefix cache where the trainer thinks best.

    Args:
        model: Folder of the Hub SavedModel.
    """
    settings = settings_of(task, model)
    keras.utils.set_random_seed(settings.seed)
    hub_model = HubModel.from_settings(settings)
    train_rows, test_rows = (tokenize(split, settings, hub_model) for split in (data.train, data.test))
    plan = plan_freeze(settings, hub_model)
    encoder = make_encoder(hub_model, plan.is_trainable, settings.dropout).encoder
    classifier = BertClassifier(
        encoder,
        outputs=len(set(data.train.labels)),
        pooling=settings.pooling,
        dropout=settings.dropout,
        seed=settings.seed,
    )
    # The others measure nothing between epochs: a first batch stands for it.
    eval_rows = first(test_rows, min(settings.batch_size, len(test_rows)))
    with tempfile.TemporaryDirectory() as log_dir:
        watch = Watch()
        ends = _EpochEnds(watch)
        logging.getLogger(TRAINING_LOGGER).addHandler(ends)
        train(classifier, train_rows, eval_rows, settings, plan, log_dir)
        spent = watch.stop()
    logging.getLogger(TRAINING_LOGGER).removeHandler(ends)
    check_frozen(plan, hub_model.weights, encoder.hub_variables)
    tested = classifier.evaluate(evaluation_dataset(test_rows, 4 * BATCH_SIZE), verbose=0, return_dict=True)
    return Measured(spent, differences(ends.seconds), tested["accuracy"], train_rows.lengths.tolist())


def settings_of(task: Task, model: Path) -> BertSettings:
    """The task as a pipeline's settings; what isn't named here has the trainer's defaults."""
    return BertSettings.model_validate(
        {
            "hub": str(model),
            "text": ["sentence"],
            "label": "label",
            "freeze": list(task.level.rules),
            "pooling": task.level.pooling,
            "learning_rate": task.level.learning_rate,
            "epochs": task.epochs,
            "compute_dtype": task.dtype,
            "prefix_cache": "auto",
            "batch_size": BATCH_SIZE,
            "max_tokens": MAX_TOKENS,
            "dropout": DROPOUT,
            "seed": SEED,
        }
    )


class _EpochEnds(logging.Handler):
    """Reads off training's log when each epoch ends: only then is there a measurement on the eval rows."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch
        self.seconds: list[float] = []
        logging.getLogger(TRAINING_LOGGER).setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        progress = getattr(record, "progress", None)
        if progress is not None and "val_loss" in progress.metrics:
            self.seconds.append(self._watch.seconds)
