"""A Hub encoder with a task head."""

from typing import Any

import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder import BertEncoder
from trainer_module.features import MASK


class BertClassifier(keras.Model):
    """Encoder, pooling, dropout, one dense layer.

    Args:
        encoder: Its variables are trainable or not already.
        outputs: Number of classes, or 1 for regression.
        pooling: `pooled` (the Hub's pooled output), `cls` (the first token's state) or `mean` (of the tokens' states).
        dropout: Rate before the head.
        seed: Of the head's initial weights.
    """

    def __init__(self, encoder: BertEncoder, *, outputs: int, pooling: str, dropout: float, seed: int) -> None:
        super().__init__(name="bert_classifier")
        self.encoder = encoder
        self.dropout = keras.layers.Dropout(dropout)
        self.head = keras.layers.Dense(
            outputs, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02, seed=seed), name="head"
        )
        self._pooling = pooling

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Logits `[batch, outputs]` float32 for a Hub encoder's three inputs, each `[batch, seq]` int32."""
        states = self.encoder(inputs, training=training)
        pooled = self._pool(states, inputs[MASK])
        return self.head(self.dropout(pooled, training=training))

    # AutoGraph would rewrite all of Keras on the way down, which takes longer than many a fine-tuning; nothing here
    # needs it. (It leaves out the package `keras` by itself, but not `tf_keras`.)
    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step, without AutoGraph."""
        return super().train_step(data)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One batch of evaluation, without AutoGraph."""
        return super().test_step(data)

    def _pool(self, states: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        if self._pooling == "pooled":
            return self.encoder.pool(states)
        if self._pooling == "cls":
            return states[:, 0, :]
        weights = tf.cast(mask, states.dtype)[:, :, tf.newaxis]
        return tf.reduce_sum(states * weights, axis=1) / tf.reduce_sum(weights, axis=1)
