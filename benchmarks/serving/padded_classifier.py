"""The usual way to serve BERT, to compare with: every text is padded to `max_tokens`."""

from collections.abc import Mapping

import tensorflow as tf

from trainer_module.encoder import Encoder
from trainer_module.training.classifier import BertClassifier


class PaddedClassifier(BertClassifier):
    """Answers as `BertClassifier` does, but always computes `max_tokens` positions.

    Args:
        max_tokens: No text may have more.
    """

    def __init__(
        self, encoder: Encoder, *, outputs: int, pooling: str, dropout: float, seed: int, max_tokens: int
    ) -> None:
        super().__init__(encoder, outputs=outputs, pooling=pooling, dropout=dropout, seed=seed)
        self._max_tokens = max_tokens

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See base class."""
        return super().call({name: self._pad(ids) for name, ids in inputs.items()}, training=training)

    def _pad(self, ids: tf.Tensor) -> tf.Tensor:
        padded = tf.pad(ids, [[0, 0], [0, self._max_tokens - tf.shape(ids)[1]]])
        # A length that is known before the request, as an export with such inputs has it.
        return tf.ensure_shape(padded, [None, self._max_tokens])
