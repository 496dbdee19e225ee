"""One block of a BERT: self-attention, then a two-layer feed-forward net, each with a residual and a layer norm."""

from collections.abc import Collection, Sequence

import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder.hub_weights import hub_name
from trainer_module.encoder.math import Activation, dense, layer_norm
from trainer_module.encoder.noise import Noise


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
        super().__init__(name=f"block_{index}", autocast=False)
        self.hub_weights = weights
        self._rate = dropout
        self.train_only({hub_name(variable) for variable in weights.values() if variable.trainable})

    def train_only(self, names: Collection[str]) -> None:
        """See `BertEncoder.train_only`."""
        self._trains = {name for name in map(hub_name, self.hub_weights.values()) if name in names}
        self._dropout = self._rate if self._trains else 0.0

    def call(
        self,
        states: tf.Tensor,
        mask: tf.Tensor,
        noise: Noise | None = None,
        layer: int = 0,
        first_only: bool = False,
    ) -> tf.Tensor:
        """
        Args:
            states: `[batch, seq, hidden]`; its dtype is that of all products.
            mask: `[batch, 1, 1, seq]`, what is added to attention scores: 0 for tokens, very negative for padding.
            noise: Of the step; none: no dropout.
            layer: Zero-based layer that it is applied as, where it is applied several times.
            first_only: Whether only the first token's new state is needed.

        Returns:
            As `states`; `[batch, 1, hidden]` if `first_only`.
        """
        attended = self._drop(self._attend(states, mask, noise, layer, first_only), noise, f"{layer}/attended")
        states = self._norm((states[:, :1] if first_only else states) + attended, "self_attention_layer_norm")
        inner = self.activation(self._dense(states, "intermediate"))
        output = self._drop(self._dense(inner, "output"), noise, f"{layer}/output")
        return self._norm(states + output, "output_layer_norm")

    def _attend(
        self, states: tf.Tensor, mask: tf.Tensor, noise: Noise | None, layer: int, first_only: bool
    ) -> tf.Tensor:
        if first_only:
            (query,) = self._project(states[:, :1], ["query"])
            key, value = self._project(states, ["key", "value"])
        else:
            query, key, value = self._project(states, ["query", "key", "value"])
        query *= query.shape[-1] ** -0.5
        scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32) + mask
        shares = self._drop(tf.cast(tf.nn.softmax(scores), states.dtype), noise, f"{layer}/shares")
        context = tf.transpose(tf.matmul(shares, value), [0, 2, 1, 3])
        kernel = self.hub_weights["self_attention/attention_output/kernel"]
        heads, head_width, hidden = kernel.shape
        shape = tf.shape(context)
        context = tf.reshape(context, [shape[0], shape[1], heads * head_width])
        return dense(
            context,
            tf.reshape(kernel, [heads * head_width, hidden]),
            self.hub_weights["self_attention/attention_output/bias"],
        )

    def _project(self, states: tf.Tensor, names: Sequence[str]) -> Sequence[tf.Tensor]:
        """Queries, keys or values per head: each `[batch, heads, seq, head_width]`."""
        weights = self.hub_weights
        kernels = [weights[f"self_attention/{name}/kernel"] for name in names]
        biases = [weights[f"self_attention/{name}/bias"] for name in names]
        hidden, heads, head_width = kernels[0].shape
        kernels = [tf.reshape(kernel, [hidden, heads * head_width]) for kernel in kernels]
        biases = [tf.reshape(bias, [heads * head_width]) for bias in biases]
        # The gradient of joined kernels is one product: all train or none, or it is computed for frozen ones too.
        if len({hub_name(weights[f"self_attention/{name}/kernel"]) in self._trains for name in names}) == 1:
            flat = dense(states, tf.concat(kernels, 1), tf.concat(biases, 0))
        else:
            flat = tf.concat([dense(states, *each) for each in zip(kernels, biases, strict=True)], -1)
        shape = tf.shape(states)
        per_head = tf.reshape(flat, [shape[0], shape[1], len(names), heads, head_width])
        return tf.unstack(tf.transpose(per_head, [2, 0, 3, 1, 4]))

    def _dense(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return dense(x, self.hub_weights[f"{name}/kernel"], self.hub_weights[f"{name}/bias"])

    def _norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return layer_norm(x, self.hub_weights[f"{name}/gamma"], self.hub_weights[f"{name}/beta"], self.epsilon)

    def _drop(self, x: tf.Tensor, noise: Noise | None, place: str) -> tf.Tensor:
        return noise.drop(x, self._dropout, f"block/{place}") if noise else x
