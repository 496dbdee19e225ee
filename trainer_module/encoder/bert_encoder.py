"""The encoder that trains."""

from collections.abc import Collection

import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder.embeddings import Embeddings
from trainer_module.encoder.hub_weights import HubWeights, hub_name
from trainer_module.encoder.math import ACTIVATIONS
from trainer_module.encoder.pooler import Pooler
from trainer_module.encoder.transformer_block import TransformerBlock
from trainer_module.hub.hub_interface import ENCODER_INPUTS
from trainer_module.hub.layout import EMBEDDINGS, ENCODER, POOLER, EncoderLayout, block_name


class BertEncoder(keras.layers.Layer):
    """A Hub BERT rebuilt in Keras: the same function of the same weights, but enterable at any block.

    Args:
        layout: Its architecture.
        weights: Where its variables come from.
        activation: A key of `ACTIVATIONS`.
        epsilon: Of every layer norm.
        dropout: Rate inside the parts that train; frozen parts have none.
    """

    def __init__(
        self,
        layout: EncoderLayout,
        weights: HubWeights,
        *,
        activation: str = "gelu_tanh",
        epsilon: float = 1e-12,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(name="encoder")
        self.embeddings = Embeddings(weights.of_block(EMBEDDINGS), dropout)
        names = [ENCODER] if layout.shared_blocks else [block_name(index) for index in range(layout.blocks)]
        self.blocks = [TransformerBlock(index, weights.of_block(name), dropout) for index, name in enumerate(names)]
        self.pooler = Pooler(weights.of_block(POOLER)) if layout.in_block(POOLER) else None
        # ALBERT applies its one block many times (Lan et al. 2020).
        self._repeats = layout.layers if layout.shared_blocks else 1
        self.compute_with(activation, epsilon)

    def compute_with(self, activation: str, epsilon: float) -> None:
        """Sets what a SavedModel's variables don't tell: a key of `ACTIVATIONS`, and the layer norms' epsilon."""
        self.embeddings.epsilon = epsilon
        for block in self.blocks:
            block.activation = ACTIVATIONS[activation]
            block.epsilon = epsilon

    @property
    def hub_variables(self) -> dict[str, tf.Variable]:
        """Every variable that came from the Hub model, by its Hub name."""
        weights = [self.embeddings.hub_weights, *(block.hub_weights for block in self.blocks)]
        if self.pooler is not None:
            weights.append(self.pooler.hub_weights)
        variables = [variable for part in weights for variable in part.values()]
        return {hub_name(variable): variable for variable in variables}

    def train_only(self, names: Collection[str]) -> None:
        """From now on only these variables (Hub names) train: a part without one gets no dropout.

        A `tf.function` that was traced before keeps what held then.
        """
        self.embeddings.train_only(names)
        for block in self.blocks:
            block.train_only(names)

    def block_outputs(
        self, word_ids: tf.Tensor, mask: tf.Tensor, type_ids: tf.Tensor, training: bool = False
    ) -> list[tf.Tensor]:
        """The output of every block.

        Args:
            word_ids: `[batch, seq]` int32.
            mask: `[batch, seq]` int32, 1 for tokens and 0 for padding.
            type_ids: `[batch, seq]` int32.
            training: Whether dropout applies.

        Returns:
            One `[batch, seq, hidden]` float32 tensor per layer.
        """
        states = self.embeddings(word_ids, type_ids, training=training)
        outputs = []
        for block in self.blocks * self._repeats:
            states = block(states, mask, training=training)
            outputs.append(states)
        return outputs

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """A Hub encoder's outputs for its three inputs: `sequence_output` and `pooled_output`; see `Encoder`."""
        word_ids, mask, type_ids = (inputs[name] for name in ENCODER_INPUTS)
        states = self.block_outputs(word_ids, mask, type_ids, training)[-1]
        return {"sequence_output": states, "pooled_output": self.pool(states)}

    def pool(self, states: tf.Tensor) -> tf.Tensor:
        """The Hub model's `pooled_output`, `[batch, hidden]`, from the last block's output."""
        if self.pooler is None:
            return states[:, 0, :]
        return self.pooler(states)
