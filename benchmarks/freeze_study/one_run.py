"""One run of the study: a fresh encoder, trained by the pipeline's own trainer, measured on the test set."""

import tempfile

import tf_keras as keras
from pydantic import BaseModel, ConfigDict

from benchmarks.freeze_study.design import DataSet, Level
from benchmarks.freeze_study.token_rows import TokenRows
from benchmarks.watch import Watch
from trainer_module.audit.frozen_check import check_frozen
from trainer_module.encoder import make_encoder
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.training.batches import evaluation_dataset
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.rows import Rows
from trainer_module.training.train import train


class StudyRun(BaseModel):
    """What came out of one run.

    Attributes:
        data_set: Title of the data set.
        level: Name of the amount of freezing.
        rules: The freeze rules, in their short form.
        frozen_share: Of the parameters that the head reads.
        accuracy: On the test set.
        seconds: Of training, tracing included, without evaluation.
        busy_elsewhere: Share of the processors' time that other processes took meanwhile.
    """

    model_config = ConfigDict(frozen=True)

    data_set: str
    level: str
    seed: int
    rules: list[str]
    train_rows: int
    epochs: int
    learning_rate: float
    frozen_share: float
    accuracy: float
    seconds: float
    busy_elsewhere: float

    @property
    def undisturbed(self) -> bool:
        """Whether its seconds count."""
        return self.busy_elsewhere <= 0.1


def run_once(
    data_set: DataSet, level: Level, seed: int, settings: BertSettings, hub_model: HubModel, rows: TokenRows
) -> StudyRun:
    """Trains and measures.

    Args:
        settings: The configuration's; rules, seed, epochs and, where the level has one, the learning rate are
            replaced.
    """
    rules = level.rules_for(hub_model.layout.blocks)
    learning_rate = level.learning_rate or data_set.learning_rate or settings.learning_rate
    settings = BertSettings.model_validate(
        settings.model_dump(exclude_unset=True)
        | {"freeze": rules, "seed": seed, "epochs": data_set.epochs, "learning_rate": learning_rate}
    )
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    plan = plan_freeze(settings, hub_model)
    encoder = make_encoder(hub_model, plan.is_trainable, settings.dropout).encoder
    classifier = BertClassifier(
        encoder, outputs=rows.classes, pooling=settings.pooling, dropout=settings.dropout, seed=seed
    )
    watch = Watch()
    with tempfile.TemporaryDirectory() as log_dir:
        # Evaluated once, at the end: a first batch stands for the measurement after each epoch.
        train(classifier, rows.train, _first(rows.test, settings.batch_size), settings, plan, log_dir)
    spent = watch.stop()
    check_frozen(plan, hub_model.weights, encoder.hub_variables)
    measured = classifier.evaluate(evaluation_dataset(rows.test, 4 * settings.batch_size), verbose=0, return_dict=True)
    used = sum(variable.parameters for variable in plan.variables if not variable.unused)
    return StudyRun(
        data_set=data_set.title,
        level=level.name,
        seed=seed,
        rules=rules,
        train_rows=len(rows.train),
        epochs=data_set.epochs,
        learning_rate=learning_rate,
        frozen_share=1 - plan.trainable_params / used,
        accuracy=measured["accuracy"],
        seconds=spent.seconds,
        busy_elsewhere=spent.busy_elsewhere,
    )


def _first(rows: Rows, count: int) -> Rows:
    end = rows.offsets[count]
    types = None if rows.type_ids is None else rows.type_ids[:end]
    return Rows(rows.word_ids[:end], types, rows.offsets[: count + 1], rows.labels[:count])
