"""One block of a BERT: self-attention, then a two-layer feed-forward net, each with a residual and a layer norm."""

from collections.abc import Collection

import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder.hub_weights import hub_name
from trainer_module.encoder.math import Activation, dense, layer_norm

_MASKED = -1e9  # as the Model Garden has it; large enough that softmax gives exactly 0 in float32


class TransformerBlock(keras.layers.Layer):
    """A post-norm transformer block (Vaswani et al. 2017; Devlin et al. 2019).

    Args:
        index: Zero-based position in the encoder.
        weights: By role, as in `variable_names.BLOCK_ROLES`.
        dropout: Rate on attention weights and on both residual branches, when anything here trains.

    Attributes:
        activation: Of the feed-forward net.
        epsilon: Of both layer norms.
    """

    activation: Activation
    epsilon: float

    def __init__(self, index: int, weights: dict[str, tf.Variable], dropout: float) -> None:
        super().__init__(name=f"block_{index}")
        self.hub_weights = weights
        self._rate = dropout
        self.train_only({hub_name(variable) for variable in weights.values() if variable.trainable})

    def train_only(self, names: Collection[str]) -> None:
        """See `BertEncoder.train_only`."""
        trains = any(hub_name(variable) in names for variable in self.hub_weights.values())
        self._dropout = self._rate if trains else 0.0

    def call(self, states: tf.Tensor, mask: tf.Tensor, training: bool = False) -> tf.Tensor:
        """
        Args:
            states: `[batch, seq, hidden]` float32.
            mask: `[batch, seq]`, 1 for tokens and 0 for padding.
            training: Whether dropout applies.

        Returns:
            `[batch, seq, hidden]` float32.
        """
        attended = self._drop(self._attend(states, mask, training), training)
        states = self._norm(states + attended, "self_attention_layer_norm")
        inner = self.activation(self._dense(states, "intermediate"))
        output = self._drop(self._dense(inner, "output"), training)
        return self._norm(states + output, "output_layer_norm")

    def _attend(self, states: tf.Tensor, mask: tf.Tensor, training: bool) -> tf.Tensor:
        query, key, value = (self._project(states, name) for name in ("query", "key", "value"))
        query *= query.shape[-1] ** -0.5
        scores = tf.matmul(query, key, transpose_b=True)
        scores += (1.0 - tf.cast(mask, scores.dtype)[:, tf.newaxis, tf.newaxis, :]) * _MASKED
        shares = self._drop(tf.nn.softmax(scores), training)
        context = tf.transpose(tf.matmul(shares, value), [0, 2, 1, 3])
        kernel = self.hub_weights["self_attention/attention_output/kernel"]
        heads, head_width, hidden = kernel.shape
        shape = tf.shape(states)
        context = tf.reshape(context, [shape[0], shape[1], heads * head_width])
        return dense(
            context,
            tf.reshape(kernel, [heads * head_width, hidden]),
            self.hub_weights["self_attention/attention_output/bias"],
        )

    def _project(self, states: tf.Tensor, name: str) -> tf.Tensor:
        """Queries, keys or values per head: `[batch, heads, seq, head_width]`."""
        kernel = self.hub_weights[f"self_attention/{name}/kernel"]
        bias = self.hub_weights[f"self_attention/{name}/bias"]
        hidden, heads, head_width = kernel.shape
        flat = dense(states, tf.reshape(kernel, [hidden, heads * head_width]), tf.reshape(bias, [-1]))
        shape = tf.shape(states)
        return tf.transpose(tf.reshape(flat, [shape[0], shape[1], heads, head_width]), [0, 2, 1, 3])

    def _dense(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return dense(x, self.hub_weights[f"{name}/kernel"], self.hub_weights[f"{name}/bias"])

    def _norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return layer_norm(x, self.hub_weights[f"{name}/gamma"], self.hub_weights[f"{name}/beta"], self.epsilon)

    def _drop(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.nn.dropout(x, self._dropout) if training and self._dropout else x
