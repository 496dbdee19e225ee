"""bfloat16 or float16 is what products are computed in and what passes between the parts; the weights never are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.encoder.math import ACTIVATIONS
from trainer_module.encoder.noise import Noise
from trainer_module.encoder.probe import probe_batch
from trainer_module.features import MASK
from trainer_module.hub.hub_model import HubModel


@pytest.fixture(scope="module")
def batch(tiny_model: HubModel) -> dict[str, tf.Tensor]:
    return probe_batch(tiny_model.layout)


@pytest.fixture
def encoder(tiny_encoder: Callable[..., Any]) -> Any:
    return tiny_encoder().encoder


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16, tf.float16])
def test_every_part_puts_out_the_dtype_and_the_whole_float32(encoder: Any, batch: Any, dtype: tf.DType) -> None:
    encoder.compute_in(dtype)
    parts = encoder.run_parts(batch, 0, 4, Noise(tf.constant([0, 0])), first_only=True)
    assert [each.dtype for each in parts] == [dtype] * 4
    assert {each.dtype for each in encoder(batch).values()} == {tf.float32}
    assert {each.dtype for each in encoder.hub_variables.values()} == {tf.float32}


def test_all_large_products_are_in_it(encoder: Any, batch: Any) -> None:
    """But not those of the layer norms' gradients, and not the pooler's."""
    encoder.compute_in(tf.bfloat16)

    @tf.function(autograph=False)
    def parts(batch: Any) -> tf.Tensor:
        return encoder.run_parts(batch, 0, 4)[-1]

    products = [
        each for each in parts.get_concrete_function(batch).graph.get_operations() if each.type.endswith("MatMulV2")
    ]
    products += [each for each in parts.get_concrete_function(batch).graph.get_operations() if each.type == "MatMul"]
    assert len(products) == 3 * (2 + 4)
    assert {each.outputs[0].dtype for each in products} == {tf.bfloat16}


def test_the_outputs_stay_near(encoder: Any, batch: Any) -> None:
    plain = encoder(batch)
    encoder.compute_in(tf.bfloat16)
    rounded = encoder(batch)
    inside = batch[MASK].numpy().astype(bool)
    assert 1e-5 < np.abs(rounded["pooled_output"] - plain["pooled_output"]).max() < 0.02
    assert np.abs((rounded["sequence_output"] - plain["sequence_output"]).numpy()[inside]).max() < 0.1


def test_gradients_are_float32_and_point_the_same_way(encoder: Any, batch: Any) -> None:
    def gradients() -> dict[str, np.ndarray]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cos(3.0 * encoder(batch)["pooled_output"]))
        found = tape.gradient(loss, encoder.hub_variables)
        assert {each.dtype for each in found.values()} == {tf.float32}
        return {name: tf.convert_to_tensor(each).numpy().ravel() for name, each in found.items()}

    plain = gradients()
    encoder.compute_in(tf.bfloat16)
    for name, rounded in gradients().items():
        if not name.endswith("key/bias"):  # which changes nothing: its gradient is rounding alone
            cosine = rounded @ plain[name] / (np.linalg.norm(rounded) * np.linalg.norm(plain[name]))
            assert cosine > 0.98, name


def test_back_in_float32_nothing_is_left_of_it(encoder: Any, batch: Any) -> None:
    plain = encoder(batch)["sequence_output"].numpy()
    encoder.compute_in(tf.bfloat16)
    encoder(batch)
    encoder.compute_in(tf.float32)
    np.testing.assert_array_equal(encoder(batch)["sequence_output"], plain)


def test_padding_does_not_leak_into_tokens(encoder: Any, batch: Any) -> None:
    encoder.compute_in(tf.bfloat16)
    changed = {
        name: tf.where(batch[MASK] == 0, 9 if name == "input_word_ids" else each, each) for name, each in batch.items()
    }
    inside = batch[MASK].numpy().astype(bool)
    ours, theirs = (encoder(each)["sequence_output"].numpy()[inside] for each in (batch, changed))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_of_float16_has_a_gradient_wherever_float16_has_numbers(name: str) -> None:
    x = tf.constant([-65504, -300, -123, -11, -10, -1, 0, 1, 10, 11, 123, 300, 65504], tf.float16)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = ACTIVATIONS[name](x)
    wide = tf.cast(x, tf.float32)
    with tf.GradientTape() as wide_tape:
        wide_tape.watch(wide)
        expected = ACTIVATIONS[name](wide)
    np.testing.assert_allclose(y, expected, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(tape.gradient(y, x), wide_tape.gradient(expected, wide), rtol=2e-3, atol=2e-3)
