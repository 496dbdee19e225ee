"""Keeps the small gradients of float16 from vanishing."""

from collections.abc import Sequence

import tensorflow as tf

_LARGEST = 2.0**40  # beyond, float32 would be the next to overflow


class LossScale(tf.Module):
    """Dynamic loss scaling (Micikevicius et al. 2018, 3.2; the numbers are those of Keras' `LossScaleOptimizer`).

    The loss is multiplied by `value`, so that gradients stay above float16's smallest numbers. Where one overflows,
    the value is halved and the step must change nothing; after many steps without overflow it is doubled.

    Keras' own wraps an optimizer and doesn't count a step that overflowed. Schedule, stages and dropout follow the
    steps that were taken, so here every step counts.

    Args:
        initial: Value at first.
        growth_steps: Steps without overflow after which the value is doubled.

    Attributes:
        value: At least 1.
    """

    def __init__(self, initial: float = 2.0**15, growth_steps: int = 2000) -> None:
        super().__init__(name="loss_scale")
        self._growth_steps = growth_steps
        once = tf.VariableAggregation.ONLY_FIRST_REPLICA  # all replicas assign the same
        self.value = tf.Variable(initial, trainable=False, dtype=tf.float32, aggregation=once)
        self._good_steps = tf.Variable(0, trainable=False, dtype=tf.int32, aggregation=once)

    def unscale(self, gradients: Sequence[tf.Tensor | None]) -> tuple[list[tf.Tensor | None], tf.Tensor]:
        """Ends a step: divides the gradients of the scaled loss by the value, then adapts the value.

        Args:
            gradients: The same on all replicas.

        Returns:
            The loss' own gradients, all zero if any number in them isn't finite; and whether all are, a bool.
        """
        given = [each for each in gradients if each is not None]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(each)) for each in given])
        inverse = 1.0 / self.value
        unscaled = [None if each is None else tf.where(finite, each * inverse, 0.0) for each in gradients]
        self._adapt(finite)
        return unscaled, finite

    def _adapt(self, finite: tf.Tensor) -> None:
        good = tf.where(finite, self._good_steps + 1, 0)
        grows = good == self._growth_steps
        kept = tf.where(grows, tf.minimum(self.value * 2.0, _LARGEST), self.value)
        self.value.assign(tf.where(finite, kept, tf.maximum(self.value / 2.0, 1.0)))
        self._good_steps.assign(tf.where(grows, 0, good))
