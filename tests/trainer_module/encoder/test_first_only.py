"""Where only the first token's state is read, leaving out the others changes neither output nor gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.encoder.noise import Noise
from trainer_module.encoder.probe import probe_batch
from trainer_module.features import MASK, STATES
from trainer_module.hub.hub_model import HubModel

MIXED = ({"freeze": "embeddings"}, {"freeze": "encoder[2]"}, {"train": "layer_2/self_attention/query"})


@pytest.fixture(scope="module")
def batch(tiny_model: HubModel) -> dict[str, tf.Tensor]:
    return probe_batch(tiny_model.layout)


def outputs_and_gradients(encoder: Any, batch: Any, first_only: bool) -> tuple[tf.Tensor, dict[str, np.ndarray]]:
    variables = {name: each for name, each in encoder.hub_variables.items() if each.trainable}
    with tf.GradientTape() as tape:
        pooled = encoder.outputs(batch, None, 0, first_only)["pooled_output"]
        loss = tf.reduce_sum(tf.cos(3.0 * pooled) * tf.reshape(tf.range(float(tf.size(pooled))), pooled.shape))
    gradients = tape.gradient(loss, variables)
    return pooled, {name: tf.convert_to_tensor(each).numpy() for name, each in gradients.items() if each is not None}


@pytest.mark.parametrize("rules", [(), MIXED], ids=["all of it trains", "part of its last block trains"])
def test_the_pooled_output_and_all_gradients_are_the_same(
    tiny_encoder: Callable[..., Any], batch: Any, rules: Any
) -> None:
    encoder = tiny_encoder(*rules).encoder
    whole, gradients = outputs_and_gradients(encoder, batch, first_only=False)
    first, ours = outputs_and_gradients(encoder, batch, first_only=True)
    np.testing.assert_allclose(first, whole, atol=1e-6)
    assert set(ours) == set(gradients) == {name for name, each in encoder.hub_variables.items() if each.trainable}
    for name, gradient in gradients.items():
        np.testing.assert_allclose(ours[name], gradient, rtol=1e-4, atol=1e-5 * np.abs(gradient).max() + 1e-4)
        assert np.abs(gradient).max() > 1e-2 or name.endswith("key/bias")


def test_the_last_parts_output_has_one_token_and_the_others_all(tiny_encoder: Callable[..., Any], batch: Any) -> None:
    encoder = tiny_encoder().encoder
    whole = encoder.run_parts(batch, 0, 4)
    ours = encoder.run_parts(batch, 0, 4, first_only=True)
    rows, tokens = batch[MASK].shape
    assert [tuple(each.shape) for each in ours] == [(rows, tokens, 32)] * 3 + [(rows, 1, 32)]
    for each, full in zip(ours, whole, strict=True):
        np.testing.assert_allclose(each, full[:, : each.shape[1]], atol=1e-6)


@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_entered_half_way_the_outputs_are_the_same(tiny_encoder: Callable[..., Any], batch: Any, first: int) -> None:
    """With dropout in what trains, which depends on the place and not on what ran before."""
    encoder = tiny_encoder({"freeze": "embeddings"}, *([{"freeze": f"encoder[:{first - 1}]"}] if first > 1 else []))
    encoder = encoder.encoder
    states = encoder.run_parts(batch, 0, first)[-1]
    for noise in (None, Noise(tf.constant([1, 2]))):
        whole = encoder.outputs(batch, noise)
        entered = encoder.outputs({STATES: states, MASK: batch[MASK]}, noise, first)
        for name, expected in whole.items():
            np.testing.assert_allclose(entered[name], expected, atol=1e-6)
    assert encoder.run_parts({STATES: states, MASK: batch[MASK]}, first, first) == []


def test_a_shared_block_leaves_out_the_rest_in_its_last_application_only(
    loaded_once: Callable[[str], HubModel],
) -> None:
    from trainer_module.encoder import BertEncoder
    from trainer_module.encoder.hub_weights import HubWeights

    model = loaded_once("albert_L-4_H-32")
    encoder = BertEncoder(model.layout, HubWeights(model.layout, model.weights, lambda name: True))
    batch = probe_batch(model.layout)
    whole, ours = (
        encoder.run_parts(batch, 0, encoder.parts),
        encoder.run_parts(batch, 0, encoder.parts, first_only=True),
    )
    assert [each.shape[1] for each in ours] == [each.shape[1] for each in whole[:-1]] + [1]
    assert len(ours) == 1 + model.layout.layers
    np.testing.assert_allclose(ours[-1], whole[-1][:, :1], atol=1e-6)
