"""What the rest of the trainer needs of an encoder, rebuilt or not."""

from collections.abc import Collection
from typing import Protocol

import tensorflow as tf


class Encoder(Protocol):
    """A Hub encoder as a Keras layer whose variables train as planned."""

    @property
    def hub_variables(self) -> dict[str, tf.Variable]:
        """Every variable that came from the Hub model, by its Hub name."""
        ...

    def train_only(self, names: Collection[str]) -> None:
        """From now on only these variables (Hub names) train; nothing that is frozen gets dropout.

        A `tf.function` that was traced before keeps what held then.
        """
        ...

    def __call__(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """
        Args:
            inputs: `input_word_ids`, `input_mask` (1 for tokens, 0 for padding) and `input_type_ids`, each
                `[batch, seq]` int32.
            training: Whether dropout applies.

        Returns:
            `sequence_output` `[batch, seq, hidden]` and `pooled_output` `[batch, hidden]`, float32.
        """
        ...
