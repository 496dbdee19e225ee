"""A Hub encoder with a task head."""

from collections.abc import Collection
from typing import Any

import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder import Encoder
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

    def __init__(self, encoder: Encoder, *, outputs: int, pooling: str, dropout: float, seed: int) -> None:
        super().__init__(name="bert_classifier")
        self.encoder = encoder
        self.dropout = keras.layers.Dropout(dropout)
        self.head = keras.layers.Dense(
            outputs, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02, seed=seed), name="head"
        )
        self._pooling = pooling
        self._held = frozenset[str]()

    def train_only(self, names: Collection[str]) -> None:
        """From now on only these of the encoder's trainable variables (Hub names) train, and the head.

        `trainable_variables` stays what it is: whatever trains at some time. A training step that was traced before
        keeps what held then; see `make_train_function`.
        """
        self.encoder.train_only(names)
        self._held = frozenset(self.encoder.hub_variables) - frozenset(names)

    @property
    def training_variables(self) -> list[tf.Variable]:
        """The variables that a training step changes now."""
        held = {self.encoder.hub_variables[name].ref() for name in self._held}
        return [variable for variable in self.trainable_variables if variable.ref() not in held]

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Logits `[batch, outputs]` float32 for a Hub encoder's three inputs, each `[batch, seq]` int32."""
        pooled = self._pool(self.encoder(inputs, training=training), inputs[MASK])
        return self.head(self.dropout(pooled, training=training))

    # AutoGraph would rewrite all of Keras on the way down, which takes longer than many a fine-tuning; nothing here
    # needs it. (It leaves out the package `keras` by itself, but not `tf_keras`.)
    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of `training_variables`, without AutoGraph."""
        inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        variables = self.training_variables
        # The tape of `keras.Model` watches every variable that trains at some time, and so would compute gradients
        # down to the lowest of them.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            outputs = self(inputs, training=True)
            loss = self.compute_loss(inputs, labels, outputs, weights)
        self.optimizer.minimize(loss, variables, tape=tape)
        return self.compute_metrics(inputs, labels, outputs, weights)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One batch of evaluation, without AutoGraph."""
        return super().test_step(data)

    def _pool(self, outputs: dict[str, tf.Tensor], mask: tf.Tensor) -> tf.Tensor:
        if self._pooling == "pooled":
            return outputs["pooled_output"]
        states = outputs["sequence_output"]
        if self._pooling == "cls":
            return states[:, 0, :]
        weights = tf.cast(mask, states.dtype)[:, :, tf.newaxis]
        return tf.reduce_sum(states * weights, axis=1) / tf.reduce_sum(weights, axis=1)
