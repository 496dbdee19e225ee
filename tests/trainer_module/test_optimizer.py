"""The learning rate's course, what decays, and what the optimizer keeps state for."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.classifier import BertClassifier
from trainer_module.encoder.probe import probe_batch
from trainer_module.optimizer import WarmupLinearDecay, make_optimizer
from trainer_module.settings import TrainSettings


def rates(schedule: WarmupLinearDecay, *steps: int) -> list[float]:
    return [float(schedule(tf.constant(step, tf.int64))) for step in steps]


@pytest.fixture
def half_frozen(tiny_encoder) -> Any:
    planned = tiny_encoder({"freeze": "embeddings"}, {"freeze": "encoder[:2]"})
    classifier = BertClassifier(planned.encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
    return planned.plan, classifier


def test_the_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    schedule = WarmupLinearDecay(peak=8.0, warmup_steps=4, total_steps=12)
    assert rates(schedule, 0, 1, 2, 3, 4, 5, 8, 11, 12, 20) == [2.0, 4.0, 6.0, 8.0, 8.0, 7.0, 4.0, 1.0, 0.0, 0.0]


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert rates(WarmupLinearDecay(8.0, 0, 4), 0, 1, 2, 3, 4) == [8.0, 6.0, 4.0, 2.0, 0.0]


def test_no_step_of_a_training_is_wasted() -> None:
    for total in (1, 2, 7):
        for warmup in range(total + 1):
            course = rates(WarmupLinearDecay(1.0, warmup, total), *range(total))
            assert min(course) > 0 and max(course) == 1.0, (total, warmup)


def test_the_schedule_can_be_made_again_from_its_config() -> None:
    schedule = WarmupLinearDecay(0.5, 3, 10)
    again = WarmupLinearDecay.from_config(schedule.get_config())
    assert rates(again, 0, 5) == rates(schedule, 0, 5)


@pytest.mark.parametrize(("fraction", "warmup"), [(0.1, 10), (0.0, 0), (0.999, 100)])
def test_the_warm_up_is_a_share_of_all_steps(fraction: float, warmup: int) -> None:
    settings = TrainSettings(warmup_fraction=fraction, learning_rate=1e-3)
    schedule = make_optimizer(settings, 100)._learning_rate
    assert (schedule.peak, schedule.warmup_steps, schedule.total_steps) == (1e-3, warmup, 100)


def test_only_kernels_and_embeddings_decay(tiny_encoder, tiny_model) -> None:
    classifier = BertClassifier(tiny_encoder().encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
    classifier(probe_batch(tiny_model.layout))
    classifier.head.bias.assign_add([1.0, 1.0])
    variables = classifier.trainable_variables
    before = {variable.name: variable.numpy() for variable in variables}
    optimizer = make_optimizer(TrainSettings(weight_decay=0.5, learning_rate=0.1, warmup_fraction=0.0), 10)
    optimizer.apply_gradients([(tf.zeros_like(variable), variable) for variable in variables])
    for variable in variables:
        excluded = variable.name.endswith("bias:0") or "layer_norm" in variable.name
        factor = 1.0 if excluded else 1 - 0.5 * 0.1
        np.testing.assert_allclose(variable.numpy(), before[variable.name] * factor, rtol=1e-5, err_msg=variable.name)


def test_slots_exist_for_trainable_variables_only(half_frozen, tiny_model) -> None:
    plan, classifier = half_frozen
    classifier(probe_batch(tiny_model.layout))
    optimizer = make_optimizer(TrainSettings(), 10)
    optimizer.build(classifier.trainable_variables)
    trained = len(plan.trainable_names) + 2  # and the head's kernel and bias
    slots = [variable for variable in optimizer.variables if variable.shape.rank > 0]
    assert len(slots) == 2 * trained
    trainable = sum(plan_variable.parameters for plan_variable in plan.variables if plan_variable.trainable)
    assert sum(int(np.prod(slot.shape)) for slot in slots) == 2 * (trainable + 32 * 2 + 2)


@pytest.mark.parametrize(("clip_norm", "expected"), [(1.0, 1.0), (0.0, None)])
def test_a_clip_norm_of_zero_turns_clipping_off(clip_norm: float, expected: float | None) -> None:
    assert make_optimizer(TrainSettings(clip_norm=clip_norm), 10).global_clipnorm == expected
