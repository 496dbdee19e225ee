"""Training moves what trains and nothing else, repeatably, and says where it stands."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tests.trainer_module.conftest import Records
from trainer_module.audit.frozen_check import check_frozen
from trainer_module.errors import UserError
from trainer_module.settings import BertSettings
from trainer_module.training.events import TRAINING_LOGGER
from trainer_module.training.progress import Progress
from trainer_module.training.train import train

HEAD_ONLY = ({"freeze": "all"},)


@pytest.fixture(scope="module")
def again(train_reviews, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return train_reviews(tmp_path_factory.mktemp("again"))


@pytest.fixture
def run(tiny_encoder, tmp_path: Path) -> Any:
    """Trains a head on rows, or what other rules leave."""

    def run(
        rows: Any, eval_rows: Any, outputs: int = 2, rules: Sequence[dict[str, Any]] = HEAD_ONLY, **more: Any
    ) -> tuple[Any, list[Progress]]:
        from trainer_module.training.classifier import BertClassifier

        bert = {"hub": "tiny", "text": ["t"], "label": "l", "batch_size": 8, **more}
        settings = BertSettings.from_custom_config({"bert": bert})
        keras.utils.set_random_seed(settings.seed)
        planned = tiny_encoder(*rules)
        classifier = BertClassifier(planned.encoder, outputs=outputs, pooling="pooled", dropout=0.1, seed=0)
        with Records(TRAINING_LOGGER) as records:
            history = train(classifier, rows, eval_rows, settings, planned.plan, log_dir=str(tmp_path))
        return history, [record.progress for record in records]  # type: ignore[attr-defined]

    return run


def test_the_loss_falls(trained_reviews) -> None:
    history = trained_reviews.history.history
    assert set(history) >= {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert len(history["loss"]) == 6
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["val_accuracy"][-1] >= 0.9


def test_frozen_variables_are_bit_identical_and_the_others_moved(trained_reviews, tiny_model) -> None:
    variables = trained_reviews.planned.encoder.hub_variables
    moved = {name for name, value in tiny_model.weights.items() if variables[name].numpy().tobytes() != value.tobytes()}
    assert moved == set(trained_reviews.planned.plan.trainable_names)
    check_frozen(trained_reviews.planned.plan, tiny_model.weights, variables)


def test_the_head_moved(trained_reviews) -> None:
    assert np.abs(trained_reviews.classifier.head.bias.numpy()).min() > 0


def test_every_row_is_seen_once_an_epoch(trained_reviews) -> None:
    assert int(trained_reviews.classifier.optimizer.iterations) == 6 * 8


def test_the_optimizer_holds_state_for_trainable_variables_only(trained_reviews) -> None:
    slots = [slot for slot in trained_reviews.classifier.optimizer.variables if slot.shape.rank > 0]
    assert len(slots) == 2 * (len(trained_reviews.planned.plan.trainable_names) + 2)


def test_tensorboard_finds_both_curves(trained_reviews) -> None:
    for split in ("train", "validation"):
        (events,) = (trained_reviews.log_dir / split).glob("events.out.tfevents.*")
        tags = {
            value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value
        }
        assert {"epoch_loss", "epoch_accuracy"} <= tags


@pytest.mark.slow
def test_the_same_seed_gives_the_same_losses_and_weights(trained_reviews, again) -> None:
    assert again.history.history == trained_reviews.history.history
    for ours, theirs in zip(again.classifier.variables, trained_reviews.classifier.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_steps_stop_in_the_middle_of_an_epoch(run, reviews, tmp_path: Path) -> None:
    rows = reviews.tokens
    history, progress = run(rows, rows, steps=11)
    assert int(history.model.optimizer.iterations) == 11
    assert len(history.history["loss"]) == 2
    assert (progress[-1].step, progress[-1].total_steps) == (11, 11)
    assert "val_loss" in progress[-1].metrics
    assert [each.step for each in progress if "val_loss" in each.metrics] == [8, 11]
    assert [each.step for each in progress] == sorted(each.step for each in progress)
    assert all(isinstance(value, float) for each in progress for value in each.metrics.values())


@pytest.mark.slow
def test_a_regression_stops_early_and_keeps_its_best_weights(run, make_rows) -> None:
    words = [[2, 5 + index % 40, 3] for index in range(16)]
    rows = make_rows(*words, labels=[1.0] * 16)
    opposite = make_rows(*words, labels=[-1.0] * 16)
    history, _ = run(
        rows, opposite, outputs=1, task="regression", epochs=50, early_stopping_patience=2, learning_rate=1e-2
    )
    losses = history.history["val_loss"]
    assert len(losses) == 3 and losses[0] == min(losses)
    assert set(history.history) == {"loss", "mae", "val_loss", "val_mae"}
    inputs, labels = opposite.batch(np.arange(16))
    kept = float(np.mean((history.model(inputs)[:, 0] - labels) ** 2))
    assert kept == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.slow
def test_early_stopping_waits_for_the_last_stage(run, make_rows, tiny_model) -> None:
    words = [[2, 5 + index % 40, 3] for index in range(16)]
    rows, opposite = (make_rows(*words, labels=[label] * 16) for label in (1.0, -1.0))
    history, _ = run(
        rows,
        opposite,
        outputs=1,
        rules=({"freeze": "all"}, {"freeze": "pooler", "until_epoch": 2}),
        task="regression",
        epochs=50,
        early_stopping_patience=1,
        learning_rate=1e-3,
    )
    losses = history.history["val_loss"]
    assert len(losses) == 4 and losses == sorted(losses)
    inputs, labels = opposite.batch(np.arange(16))
    kept = float(np.mean((history.model(inputs)[:, 0] - labels) ** 2))
    assert kept == pytest.approx(losses[2], rel=1e-5)
    pooler = history.model.encoder.hub_variables["pooler_transform/bias"].numpy()
    assert not np.array_equal(pooler, tiny_model.weights["pooler_transform/bias"])


@pytest.mark.slow
def test_steps_can_end_training_within_a_stage(run, reviews, tiny_model) -> None:
    rows = reviews.tokens
    history, _ = run(rows, rows, rules=({"freeze": "all"}, {"freeze": "pooler", "until_epoch": 1}), steps=9)
    assert int(history.model.optimizer.iterations) == 9
    pooler = history.model.encoder.hub_variables["pooler_transform/bias"].numpy()
    assert not np.array_equal(pooler, tiny_model.weights["pooler_transform/bias"])


def test_steps_that_end_before_a_stage_begins_are_refused(run, reviews) -> None:
    rows = reviews.tokens
    rules = ({"freeze": "all"}, {"freeze": "pooler", "until_epoch": 1}, {"freeze": "encoder[0]", "until_epoch": 3})
    with pytest.raises(UserError) as error:
        run(rows, rows, rules=rules, steps=8)
    assert error.value.problems == [
        f"rule {position} `freeze {selector} until_epoch={epoch}`: would never train what it selects, because training "
        f"ends with epoch 1 (train.steps is 8, an epoch has 8); write `freeze {selector}`, "
        f"or train for {epoch + 1} epochs or more"
        for position, selector, epoch in [(2, "pooler", 1), (3, "encoder[0]", 3)]
    ]


def test_a_loss_that_is_not_a_number_is_a_users_mistake(run, reviews) -> None:
    rows = reviews.tokens
    with pytest.raises(UserError) as error:
        run(rows, rows, epochs=5, learning_rate=1e38, warmup_fraction=0.0)
    message = str(error.value)
    assert message == (
        "train.learning_rate: the loss became nan at step 2 of 40, at a rate of 9.75e+37 (its peak is 1e+38), so "
        "training was stopped and nothing is exported; try a tenth of it, or warm up (train.warmup_fraction = 0.1)"
    )


def test_no_rows_are_refused(run, reviews, make_rows) -> None:
    rows = reviews.tokens
    nothing = type(rows)(np.zeros(0, np.int32), None, np.zeros(1, np.int64), np.zeros(0, np.int64))
    for train_rows, eval_rows in ((nothing, rows), (rows, nothing)):
        with pytest.raises(UserError, match="data: no rows to train or to evaluate on"):
            run(train_rows, eval_rows)


def test_rows_without_a_known_label_are_refused(run, make_rows) -> None:
    rows = make_rows([2, 5, 3], [2, 6, 3], [2, 7, 3], labels=[0, -1, -1])
    with pytest.raises(UserError) as error:
        run(rows, make_rows([2, 5, 3], labels=[-1]))
    assert error.value.problems == [
        f"data.label: {count} rows have no label, or one that never occurs in train; correct or drop them"
        for count in ("2 of 3 train", "1 of 1 eval")
    ]
