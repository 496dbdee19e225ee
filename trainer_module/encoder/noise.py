"""The random numbers of a training step's dropout."""

import zlib

import tensorflow as tf


class Noise:
    """Dropout whose mask depends on a seed and on the place in the network, and on nothing else.

    TensorFlow's stateful dropout draws from one sequence in the order in which a graph was traced. Then a network
    that is entered half-way, because its frozen lower part is cached, would train otherwise than the whole one.

    Args:
        seed: `[2]` int32; another one for every step.
    """

    def __init__(self, seed: tf.Tensor) -> None:
        self._seed = seed

    @classmethod
    def fresh(cls) -> "Noise":
        """Other numbers with every call of the function that this is traced into."""
        return cls(tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32))

    def drop(self, states: tf.Tensor, rate: float, place: str) -> tf.Tensor:
        """Dropout (Srivastava et al. 2014).

        Args:
            states: Of any shape, floating-point.
            rate: Share that becomes 0; the rest is scaled up.
            place: A name that no other dropout of the network has.
        """
        if not rate:
            return states
        own = tf.constant([zlib.crc32(place.encode()) & 0x7FFFFFFF, 0], tf.int32)
        return tf.nn.experimental.stateless_dropout(
            states, rate, tf.bitwise.bitwise_xor(self._seed, own), rng_alg="philox"
        )
