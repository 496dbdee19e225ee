"""The arithmetic that the parts of a BERT share."""

from collections.abc import Callable, Mapping

import tensorflow as tf

Activation = Callable[[tf.Tensor], tf.Tensor]


def gelu_exact(x: tf.Tensor) -> tf.Tensor:
    """GELU by the error function (Hendrycks & Gimpel 2016)."""
    return tf.nn.gelu(x, approximate=False)


def gelu_tanh(x: tf.Tensor) -> tf.Tensor:
    """GELU by its tanh approximation, as the original BERT code computes it."""
    return tf.nn.gelu(x, approximate=True)


ACTIVATIONS: Mapping[str, Activation] = {
    "gelu_tanh": gelu_tanh,
    "gelu": gelu_exact,
    "relu": tf.nn.relu,
}
"""What a SavedModel doesn't name; `rebuild` finds it by the probe."""


def dense(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """`x @ kernel + bias` on the last axis of `x`, `[batch, seq, width]` float32."""
    width_in, width_out = kernel.shape
    shape = tf.shape(x)
    # One large 2-D product: TensorFlow would broadcast a batched one over the examples.
    product = tf.matmul(tf.reshape(x, [-1, width_in]), kernel)
    return tf.reshape(tf.nn.bias_add(product, bias), tf.concat([shape[:-1], [width_out]], 0))


def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Layer normalisation (Ba et al. 2016) over the last axis."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)
