"""Word, position and segment embeddings."""

from collections.abc import Collection

import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder.hub_weights import hub_name
from trainer_module.encoder.math import dense, layer_norm
from trainer_module.encoder.noise import Noise


class Embeddings(keras.layers.Layer):
    """Token ids to the first block's input.

    Args:
        weights: By role, as in `variable_names`; `projection/*` only where the embeddings are narrower than the
            blocks (ELECTRA).
        dropout: Rate after the layer norm, when anything here trains.

    Attributes:
        epsilon: Of the layer norm.
        products: Dtype of what is put out.
    """

    epsilon: float
    products: tf.DType = tf.float32

    def __init__(self, weights: dict[str, tf.Variable], dropout: float) -> None:
        super().__init__(name="embeddings", autocast=False)
        self.hub_weights = weights
        self._rate = dropout
        self.train_only({hub_name(variable) for variable in weights.values() if variable.trainable})

    def train_only(self, names: Collection[str]) -> None:
        """See `BertEncoder.train_only`."""
        trains = any(hub_name(variable) in names for variable in self.hub_weights.values())
        self._dropout = self._rate if trains else 0.0

    def call(self, word_ids: tf.Tensor, type_ids: tf.Tensor, noise: Noise | None = None) -> tf.Tensor:
        """
        Args:
            word_ids: `[batch, seq]` int32.
            type_ids: `[batch, seq]` int32, 0 or 1.
            noise: Of the step; none: no dropout.

        Returns:
            `[batch, seq, hidden]` in the dtype `products`.
        """
        weights = self.hub_weights
        states = tf.gather(weights["word/embeddings"], word_ids)
        states += weights["position/embeddings"][: tf.shape(word_ids)[1]]
        states += tf.gather(weights["type/embeddings"], type_ids)
        states = layer_norm(states, weights["layer_norm/gamma"], weights["layer_norm/beta"], self.epsilon)
        states = tf.cast(states, self.products)
        if noise:
            states = noise.drop(states, self._dropout, "embeddings")
        if "projection/kernel" in weights:
            states = dense(states, weights["projection/kernel"], weights["projection/bias"])
        return states
