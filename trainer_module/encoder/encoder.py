"""What the rest of the trainer needs of an encoder, rebuilt or not."""

from collections.abc import Collection, Mapping
from typing import Protocol

import tensorflow as tf

from trainer_module.encoder.noise import Noise


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

    @property
    def parts(self) -> int:
        """How many parts it can be entered after, the embeddings first; 0: it runs as a whole only."""
        ...

    def run_parts(
        self,
        inputs: Mapping[str, tf.Tensor],
        first: int,
        last: int,
        noise: Noise | None = None,
        first_only: bool = False,
    ) -> list[tf.Tensor]:
        """The outputs of parts `first` to `last` - 1, `[batch, seq, hidden]` each; see `BertEncoder.run_parts`."""
        ...

    def compute_in(self, dtype: tf.DType) -> None:
        """Sets the dtype of matrix products and of what passes between the parts; the weights stay float32."""
        ...

    def outputs(
        self,
        inputs: Mapping[str, tf.Tensor],
        noise: Noise | None = None,
        first: int = 0,
        first_only: bool = False,
    ) -> dict[str, tf.Tensor]:
        """What it puts out when the parts below `first` have been run already.

        Args:
            inputs: `input_word_ids`, `input_mask` (1 for tokens, 0 for padding) and `input_type_ids`, each
                `[batch, seq]` int32; or, where `first` > 0, `input_mask` and `states` `[batch, seq, hidden]`.
            noise: For dropout, which only training has.
            first: How many parts not to run.
            first_only: Whether only the first token's last state is needed, which the pooler reads. Nearly all of
                the last block's work is then left out.

        Returns:
            `sequence_output` `[batch, seq, hidden]` (or `[batch, 1, hidden]` if `first_only`) and `pooled_output`
            `[batch, hidden]`, float32.
        """
        ...

    def __call__(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """All of it; see `outputs`."""
        ...
