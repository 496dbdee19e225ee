"""A dropout mask depends on seed, step and place alone; its rate is honoured and its mean is kept."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.encoder.noise import Noise

SIZE = 200_000


def mask(seed: int = 0, step: int = 0, place: str = "block/0/output", rate: float = 0.1, size: int = 1000) -> Any:
    dropped = Noise(tf.constant([seed, step])).drop(tf.ones([size]), rate, place).numpy()
    return dropped.tobytes()


def test_seed_step_and_place_fix_the_mask() -> None:
    assert mask(3, 5) == mask(3, 5)
    assert len({mask(), mask(seed=1), mask(step=1), mask(place="block/1/output"), mask(place="head")}) == 5


def test_seed_and_step_are_not_interchangeable() -> None:
    assert len({mask(seed, step) for seed in range(8) for step in range(8)}) == 64


def test_what_else_a_graph_draws_does_not_matter() -> None:
    @tf.function
    def alone(seed: tf.Tensor) -> tf.Tensor:
        return Noise(seed).drop(tf.ones([100]), 0.5, "here")

    @tf.function
    def behind_others(seed: tf.Tensor) -> tf.Tensor:
        noise = Noise(seed)
        before = noise.drop(tf.ones([7, 9]), 0.5, "before") + tf.random.uniform([])
        return noise.drop(tf.ones([100]), 0.5, "here") + 0.0 * tf.reduce_sum(before)

    seed = tf.constant([1, 2])
    np.testing.assert_array_equal(alone(seed), behind_others(seed))


def test_fresh_noise_differs_from_call_to_call_of_a_traced_function() -> None:
    @tf.function
    def drop() -> tf.Tensor:
        return Noise.fresh().drop(tf.ones([1000]), 0.5, "here")

    assert drop().numpy().tobytes() != drop().numpy().tobytes()


@pytest.mark.parametrize(("dtype", "tolerance"), [(tf.float32, 0.0), (tf.bfloat16, 1 / 128)])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_rate_is_honoured_and_the_rest_scaled_up(dtype: tf.DType, tolerance: float, rate: float) -> None:
    """Five standard deviations; bfloat16 draws numbers in steps of 1/128."""
    dropped = Noise(tf.constant([7, 11])).drop(tf.ones([SIZE], dtype), rate, "here")
    assert dropped.dtype == dtype
    values = dropped.numpy().astype(np.float32)
    kept = values[values != 0]
    assert abs(1 - len(kept) / SIZE - rate) < 5 * (rate * (1 - rate) / SIZE) ** 0.5 + tolerance
    np.testing.assert_allclose(kept, 1 / (1 - rate), rtol=1e-6 if dtype == tf.float32 else 1e-2)


def test_neighbouring_steps_are_independent() -> None:
    """The share that both drop is the product of the shares; five standard deviations."""
    first, second = (np.frombuffer(mask(step=step, rate=0.5, size=SIZE), np.float32) == 0 for step in (0, 1))
    assert abs(np.mean(first & second) - 0.25) < 5 * (0.25 * 0.75 / SIZE) ** 0.5


def test_without_a_rate_nothing_is_done() -> None:
    states = tf.ones([3])
    assert Noise(tf.constant([0, 0])).drop(states, 0.0, "here") is states
