"""A step that overflows changes nothing but the scale, which recovers."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.settings import TrainSettings
from trainer_module.training.loss_scale import LossScale
from trainer_module.training.optimizer import CourseAdamW, make_optimizer

SETTINGS = TrainSettings(learning_rate=0.1, weight_decay=0.2, warmup_fraction=0.0, clip_norm=0.5)


def made(dtype: Any = "float16", loss_scale: LossScale | None = None) -> CourseAdamW:
    optimizer = make_optimizer(SETTINGS.model_copy(update={"compute_dtype": dtype}), 10)
    if loss_scale is not None:
        optimizer.loss_scale = loss_scale
    return optimizer


def variables() -> list[tf.Variable]:
    rng = np.random.default_rng(0)
    return [tf.Variable(rng.normal(size=shape), name="kernel", dtype=tf.float32) for shape in ([3, 2], [4])]


class Training:
    """Steps of an optimizer, compiled, whose gradients are given."""

    def __init__(self, optimizer: CourseAdamW) -> None:
        self.optimizer = optimizer
        self.variables = variables()
        optimizer.build(self.variables)
        self._step = tf.function(self._minimize, autograph=False)

    def step(self, *gradients: float) -> None:
        self._step(tf.constant(gradients))

    def _minimize(self, gradients: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_sum(each) * gradients[index] for index, each in enumerate(self.variables)])
        self.optimizer.minimize(loss, self.variables, tape=tape)

    @property
    def scale(self) -> float:
        assert self.optimizer.loss_scale is not None
        return float(self.optimizer.loss_scale.value)

    @property
    def state(self) -> list[bytes]:
        slots = [slot for slot in self.optimizer.variables if slot.shape.rank]
        return [each.numpy().tobytes() for each in [*self.variables, *slots]]


def test_only_float16_has_a_scale() -> None:
    assert made("float32").loss_scale is None and made("bfloat16").loss_scale is None
    scale = made("float16").loss_scale
    assert scale is not None and scale.value.numpy() == 2**15


def test_without_overflow_the_steps_are_those_without_a_scale() -> None:
    """A scale that is a power of two rounds nothing."""
    scaled, plain = Training(made("float16")), Training(made("float32"))
    for training in (scaled, plain):
        for gradients in ((1.0, -2.0), (1e-3, 0.3), (-4.0, 0.0)):
            training.step(*gradients)
    assert scaled.state == plain.state
    assert scaled.state != Training(made("float32")).state


@pytest.mark.parametrize("overflow", [np.inf, -np.inf, np.nan])
def test_a_step_that_overflows_counts_but_leaves_every_bit(overflow: float) -> None:
    training = Training(made())
    training.step(1.0, 2.0)
    before = training.state
    training.step(1.0, overflow)
    assert training.state == before
    assert int(training.optimizer.iterations) == 2
    assert training.scale == 2**14
    training.step(1.0, 2.0)
    assert training.state != before


def test_the_scale_falls_with_every_overflow_and_recovers_with_good_steps() -> None:
    training = Training(made(loss_scale=LossScale(initial=8.0, growth_steps=3)))
    seen = []
    for gradient in (np.inf, np.nan, 1.0, 1.0, 1.0, 1.0, 1.0, np.inf, 1.0, 1.0, 1.0):
        training.step(gradient, 1.0)
        seen.append(training.scale)
    assert seen == [4, 2, 2, 2, 4, 4, 4, 2, 2, 2, 4]


def test_the_scale_stays_where_float32_can_hold_it() -> None:
    training = Training(made(loss_scale=LossScale(initial=1.5, growth_steps=1)))
    training.step(np.inf, 0.0)
    assert training.scale == 1.0
    scale = LossScale(initial=2.0**39, growth_steps=1)
    for _ in range(3):
        scale.unscale([tf.ones([2])])
    assert scale.value.numpy() == 2.0**40


def test_what_has_no_gradient_is_passed_on() -> None:
    (nothing, gradient), finite = LossScale(initial=4.0).unscale([None, tf.constant([2.0])])
    assert nothing is None and gradient is not None
    assert gradient.numpy().tolist() == [0.5] and bool(finite)
