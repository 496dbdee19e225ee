"""The encoder that trains."""

from collections.abc import Collection, Mapping

import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder.embeddings import Embeddings
from trainer_module.encoder.hub_weights import HubWeights, hub_name
from trainer_module.encoder.math import ACTIVATIONS
from trainer_module.encoder.noise import Noise
from trainer_module.encoder.pooler import Pooler
from trainer_module.encoder.transformer_block import TransformerBlock
from trainer_module.features import MASK, STATES, TYPE_IDS, WORD_IDS
from trainer_module.hub.layout import EMBEDDINGS, ENCODER, POOLER, EncoderLayout, block_name

_MASKED = -1e9  # as the Model Garden has it; large enough that softmax gives exactly 0 in float32


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
        super().__init__(name="encoder", autocast=False)
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

    def compute_in(self, dtype: tf.DType) -> None:
        """Sets the dtype of matrix products and of what passes between the parts; the weights stay float32.

        A `tf.function` that was traced before keeps what held then.
        """
        self.embeddings.products = dtype

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

    @property
    def parts(self) -> int:
        """How many parts its network has, one after the other: the embeddings, and each block.

        A block that is applied many times counts once.
        """
        return 1 + len(self.blocks)

    def run_parts(
        self,
        inputs: Mapping[str, tf.Tensor],
        first: int,
        last: int,
        noise: Noise | None = None,
        first_only: bool = False,
    ) -> list[tf.Tensor]:
        """The outputs of some of its parts, one per layer.

        Args:
            inputs: A Hub encoder's; of those that `first` > 0 needs only `input_mask` and `STATES`, the output of
                the part before.
            first: Zero-based index of the first part to run.
            last: Index after the last.
            noise: Of the step; none: no dropout.
            first_only: Whether only the first token's state is needed of the last layer.

        Returns:
            `[batch, seq, hidden]` each; the last one `[batch, 1, hidden]` if `first_only`.
        """
        outputs = []
        if first == 0:
            states = self.embeddings(inputs[WORD_IDS], inputs[TYPE_IDS], noise)
            outputs.append(states)
        else:
            states = inputs[STATES]
        mask = (1.0 - tf.cast(inputs[MASK], tf.float32)[:, tf.newaxis, tf.newaxis, :]) * _MASKED
        blocks = self.blocks[max(first - 1, 0) : last - 1] * self._repeats
        for layer, block in enumerate(blocks, start=max(first - 1, 0)):
            is_last = layer == max(first - 1, 0) + len(blocks) - 1
            states = block(states, mask, noise, layer=layer, first_only=first_only and is_last)
            outputs.append(states)
        return outputs

    def block_outputs(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """The output of every block for a Hub encoder's inputs: one `[batch, seq, hidden]` tensor per layer."""
        return self.run_parts(inputs, 0, self.parts, Noise.fresh() if training else None)[1:]

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """A Hub encoder's outputs for its three inputs; see `Encoder`."""
        return self.outputs(inputs, Noise.fresh() if training else None)

    def outputs(
        self,
        inputs: Mapping[str, tf.Tensor],
        noise: Noise | None = None,
        first: int = 0,
        first_only: bool = False,
    ) -> dict[str, tf.Tensor]:
        """See `Encoder.outputs`."""
        if first < self.parts:
            states = self.run_parts(inputs, first, self.parts, noise, first_only)[-1]
        else:
            states = inputs[STATES]
        states = tf.cast(states, tf.float32)
        return {"sequence_output": states, "pooled_output": self.pool(states)}

    def pool(self, states: tf.Tensor) -> tf.Tensor:
        """The Hub model's `pooled_output`, `[batch, hidden]`, from the last block's output."""
        if self.pooler is None:
            return states[:, 0, :]
        return self.pooler(states)
