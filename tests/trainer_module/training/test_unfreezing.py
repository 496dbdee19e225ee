"""Training follows the plan through its stages: what trains now moves, and nothing else."""

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tf_keras as keras

from trainer_module.encoder import BertEncoder
from trainer_module.encoder.hub_weights import HubWeights
from trainer_module.encoder.probe import probe_batch
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.layout import EMBEDDINGS
from trainer_module.settings import BertSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.optimizer import Course
from trainer_module.training.schedule import Stage
from trainer_module.training.train import train
from trainer_module.training.unfreezing import begin_stage, courses

pytestmark = pytest.mark.slow

GRADUAL = ({"freeze": "embeddings"}, {"freeze": "encoder[0]", "until_epoch": 1})


@dataclass(frozen=True)
class Run:
    """A training with what the encoder held after each epoch."""

    plan: FreezePlan
    classifier: BertClassifier
    losses: list[float]
    after: list[dict[str, bytes]]
    messages: list[str]


@contextmanager
def listening(logger_name: str, listener: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            listener(record)

    logger, handler = logging.getLogger(logger_name), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.fixture(scope="module")
def run(two_block_model: Any, reviews: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Trains on `reviews`: 64 rows, 4 steps an epoch."""

    def run(*rules: dict[str, Any], **more: Any) -> Run:
        bert = {"hub": two_block_model.handle, "text": ["t"], "label": "l", "max_tokens": 16, "batch_size": 16}
        bert |= {"freeze": list(rules), "learning_rate": 1e-3, **more}
        settings = BertSettings.from_custom_config({"bert": bert})
        keras.utils.set_random_seed(settings.seed)
        plan = plan_freeze(settings, two_block_model)
        weights = HubWeights(two_block_model.layout, two_block_model.weights, plan.is_trainable)
        encoder = BertEncoder(two_block_model.layout, weights, dropout=0.1)
        classifier = BertClassifier(encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
        after: list[dict[str, bytes]] = []
        messages: list[str] = []

        def on_progress(record: Any) -> None:
            if "val_loss" in record.progress.metrics:
                after.append({name: each.numpy().tobytes() for name, each in encoder.hub_variables.items()})

        rows, log_dir = reviews.tokens, str(tmp_path_factory.mktemp("logs"))
        with (
            listening("permafrost.training", on_progress),
            listening("permafrost.unfreezing", lambda record: messages.append(record.getMessage())),
        ):
            history = train(classifier, rows, rows, settings, plan, log_dir)
        return Run(plan, classifier, history.history["loss"], after, messages)

    return run


@pytest.fixture(scope="module")
def gradual(run: Any) -> Run:
    return run(*GRADUAL, epochs=2)


@pytest.fixture(scope="module")
def batch(tiny_model: Any) -> Any:
    return probe_batch(tiny_model.layout)


def moved(values: dict[str, bytes], before: dict[str, bytes]) -> set[str]:
    return {name for name, value in values.items() if value != before[name]}


def with_gradient(names: Collection[str]) -> set[str]:
    """Without the keys' biases: they add the same to all scores of a query, which the softmax takes out again."""
    return {name for name in names if not name.endswith("key/bias")}


def test_what_is_frozen_until_an_epoch_keeps_its_bits_till_then_and_moves_after(
    gradual: Run, two_block_model: Any
) -> None:
    hub = {name: value.tobytes() for name, value in two_block_model.weights.items()}
    first, second = gradual.after
    for epoch, changed in enumerate([moved(first, hub), moved(second, first)]):
        assert with_gradient(gradual.plan.trains_in(epoch)) <= changed <= gradual.plan.trains_in(epoch)
    blocks = {variable.block for variable in gradual.plan.variables if variable.name in gradual.plan.trains_in(0)}
    assert blocks == {"encoder[1]", "pooler"}
    assert moved(second, hub).isdisjoint(variable.name for variable in two_block_model.layout.in_block(EMBEDDINGS))


def test_until_then_training_is_that_of_a_plain_freeze(gradual: Run, run: Any) -> None:
    """No gradient, no weight decay, no dropout, no share in the clipped norm: else the first epoch would differ."""
    frozen = run({"freeze": "embeddings"}, {"freeze": "encoder[0]"}, epochs=2)
    assert frozen.after[0].keys() == gradual.after[0].keys()
    for name, value in frozen.after[0].items():
        # Two programs: on some processors the last bit of a sum differs.
        given = np.frombuffer(gradual.after[0][name], np.float32)
        np.testing.assert_allclose(np.frombuffer(value, np.float32), given, rtol=0, atol=1e-6, err_msg=name)
    assert frozen.losses[0] == pytest.approx(gradual.losses[0], abs=1e-6)
    assert frozen.losses[1] != gradual.losses[1]


def test_slots_exist_for_what_trains_at_some_time_only(gradual: Run) -> None:
    slots = [slot for slot in gradual.classifier.optimizer.variables if slot.shape.rank > 0]
    assert len(slots) == 2 * (len(gradual.plan.trainable_names) + 2)
    assert int(gradual.classifier.optimizer.iterations) == 8


def test_the_classifiers_trainable_variables_are_the_plans_and_the_heads(gradual: Run) -> None:
    trainable = [variable.name.removesuffix(":0") for variable in gradual.classifier.trainable_variables]
    assert sorted(trainable[:-2]) == sorted(gradual.plan.trainable_names)
    assert [name.rpartition("/")[2] for name in trainable[-2:]] == ["kernel", "bias"]


def test_each_stage_is_logged_with_its_counts(gradual: Run) -> None:
    plan = gradual.plan
    per_block = sum(variable.parameters for variable in plan.variables if variable.block == "encoder[0]")
    pooler = sum(variable.parameters for variable in plan.variables if variable.block == "pooler")
    total = f"{len(plan.variables)} variables of the encoder train"
    assert gradual.messages == [
        f"from epoch 1 on: 18 of {total}, {per_block + pooler} of {plan.model.parameters} parameters",
        f"from epoch 2 on: 34 of {total}, {2 * per_block + pooler} of {plan.model.parameters} parameters",
    ]


def test_rules_and_layerwise_decay_multiply_what_a_step_changes(run: Any, two_block_model: Any) -> None:
    def changes(done: Run) -> dict[str, np.ndarray]:
        variables = done.classifier.encoder.hub_variables
        return {name: variables[name].numpy() - value for name, value in two_block_model.weights.items()}

    plain = changes(run(steps=1, warmup_fraction=0.0))
    slowed = run({"train": "encoder[0]", "lr": 0.1}, steps=1, warmup_fraction=0.0, layerwise_lr_decay=0.5)
    factors = {"pooler": 1.0, "encoder[1]": 0.5, "encoder[0]": 0.025, "embeddings": 0.125}
    for name, change in changes(slowed).items():
        (block,) = (variable.block for variable in slowed.plan.variables if variable.name == name)
        np.testing.assert_allclose(change, factors[block] * plain[name], rtol=1e-3, atol=3e-7, err_msg=name)
        assert np.abs(plain[name]).max() > 1e-5 or name.endswith("key/bias")


def test_a_course_starts_with_the_first_step_of_its_stage(tiny_encoder: Any, batch: Any) -> None:
    planned = tiny_encoder({"freeze": "encoder[0]", "until_epoch": 3}, {"train": "encoder[1]", "lr": 0.5})
    classifier = BertClassifier(planned.encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
    classifier(batch)
    course_of = courses(planned.plan, classifier, steps_per_epoch=7)
    blocks = {variable.name: variable.block for variable in planned.plan.variables}
    found = {blocks[name]: course_of(variable) for name, variable in planned.encoder.hub_variables.items()}
    assert found == {
        "embeddings": Course(),
        "encoder[0]": Course(start_step=21),
        "encoder[1]": Course(lr=0.5),
        "encoder[2]": Course(),
        "pooler": Course(),
    }
    assert course_of(classifier.head.kernel) == Course()


def test_the_encoder_is_dropped_out_only_where_a_stage_trains(tiny_encoder: Any, batch: Any) -> None:
    planned = tiny_encoder({"freeze": "all", "until_epoch": 1})
    classifier = BertClassifier(planned.encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
    differs = []
    for stage in (Stage(epoch, epoch + 1, planned.plan.trains_in(epoch)) for epoch in (0, 1)):
        begin_stage(stage, classifier, planned.plan)
        states = [planned.encoder(batch, training=on)["sequence_output"].numpy() for on in (True, False)]
        differs.append(not np.array_equal(*states))
    assert differs == [False, True]
