"""The arithmetic that the parts of a BERT share.

What training spends its time on beside matrix products are element-wise passes over the activations. TensorFlow's
own gradients of GELU and layer norm make about twice as many of them as needed, so these have gradients here.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

Activation = Callable[[tf.Tensor], tf.Tensor]


@tf.custom_gradient
def gelu_exact(x: tf.Tensor) -> Any:
    """GELU by the error function (Hendrycks & Gimpel 2016)."""
    share = 0.5 * tf.math.erf(x * math.sqrt(0.5)) + 0.5

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return upstream * (share + x * (tf.exp(tf.square(x) * -0.5) * (1 / math.sqrt(2 * math.pi))))

    return x * share, gradient


_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBE = 0.044715


@tf.custom_gradient
def gelu_tanh(x: tf.Tensor) -> Any:
    """GELU by its tanh approximation, as the original BERT code computes it."""
    # In float16 the cube of 122 overflows, and infinity times the slope's zero is no number. Beyond 10, tanh is 1.
    near = tf.clip_by_value(x, -10.0, 10.0) if x.dtype == tf.float16 else x
    square = tf.square(near)
    tanh = tf.tanh(near * (square * (_TANH_SCALE * _TANH_CUBE) + _TANH_SCALE))
    share = 0.5 * tanh + 0.5

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        slope = square * (1.5 * _TANH_SCALE * _TANH_CUBE) + 0.5 * _TANH_SCALE
        return upstream * (share + x * (slope * (1.0 - tf.square(tanh))))

    return x * share, gradient


ACTIVATIONS: Mapping[str, Activation] = {
    "gelu_tanh": gelu_tanh,
    "gelu": gelu_exact,
    "relu": tf.nn.relu,
}
"""What a SavedModel doesn't name; `rebuild` finds it by the probe."""


def dense(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """`x @ kernel + bias` on the last axis of `x`, `[batch, seq, width]`, in the dtype of `x`."""
    width_in, width_out = kernel.shape
    # One large 2-D product: TensorFlow would broadcast a batched one over the examples.
    product = tf.matmul(tf.reshape(x, [-1, width_in]), tf.cast(kernel, x.dtype))
    shape = tf.concat([tf.shape(x)[:-1], [width_out]], 0)
    return tf.reshape(tf.nn.bias_add(product, tf.cast(bias, x.dtype)), shape)


def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Layer normalisation (Ba et al. 2016) over the last axis of `x`, `[batch, seq, width]`; computed in float32.

    Returns:
        As `x`, in its dtype.
    """
    # Of a distributed variable, a custom gradient wouldn't know that it is an argument.
    gamma, beta = tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta)
    return tf.cast(_layer_norm(epsilon)(tf.cast(x, tf.float32), gamma, beta), x.dtype)


def _layer_norm(epsilon: float) -> Callable[..., tf.Tensor]:
    @tf.custom_gradient
    def normalise(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> Any:
        width = x.shape[-1]
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        scale = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + epsilon)
        normal = centred * scale

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            # The sums over tokens and over the width as matrix products, which are several times quicker here.
            upstream, flat = (tf.reshape(each, [-1, width]) for each in (upstream, normal))
            product = upstream * flat
            tokens = tf.ones([1, tf.shape(flat)[0]])
            weights = tf.reshape(gamma, [width, 1]) / width
            mean, mean_product = tf.matmul(upstream, weights), tf.matmul(product, weights)
            to_input = tf.reshape(scale, [-1, 1]) * (upstream * gamma - mean - flat * mean_product)
            to_gamma, to_beta = (tf.matmul(tokens, each)[0] for each in (product, upstream))
            return tf.reshape(to_input, tf.shape(x)), to_gamma, to_beta

        return normal * gamma + beta, gradient

    return normalise
