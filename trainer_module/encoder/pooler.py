"""The Hub model's pooled output."""

import tensorflow as tf
import tf_keras as keras


class Pooler(keras.layers.Layer):
    """A tanh layer over the first token's state.

    Args:
        weights: `kernel` `[hidden, hidden]` and `bias` `[hidden]`.
    """

    def __init__(self, weights: dict[str, tf.Variable]) -> None:
        super().__init__(name="pooler")
        self.hub_weights = weights

    def call(self, states: tf.Tensor) -> tf.Tensor:
        """`[batch, seq, hidden]` → `[batch, hidden]`, float32."""
        first = states[:, 0, :]
        return tf.tanh(tf.nn.bias_add(tf.matmul(first, self.hub_weights["kernel"]), self.hub_weights["bias"]))
