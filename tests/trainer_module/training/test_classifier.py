"""What the head reads of the encoder's output."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder.probe import probe_batch
from trainer_module.features import MASK, TYPE_IDS, WORD_IDS
from trainer_module.hub.hub_model import HubModel
from trainer_module.training.classifier import BertClassifier


@pytest.fixture
def make(tiny_encoder) -> Any:
    def make(pooling: str, outputs: int = 3, seed: int = 0) -> BertClassifier:
        encoder = tiny_encoder(pooling=pooling).encoder
        return BertClassifier(encoder, outputs=outputs, pooling=pooling, dropout=0.1, seed=seed)

    return make


@pytest.fixture(scope="module")
def batch(tiny_model: HubModel) -> dict[str, tf.Tensor]:
    return probe_batch(tiny_model.layout)


def head(classifier: BertClassifier, pooled: Any) -> np.ndarray:
    return (tf.convert_to_tensor(pooled) @ classifier.head.kernel + classifier.head.bias).numpy()


@pytest.mark.parametrize("pooling", ["pooled", "cls", "mean"])
def test_longer_padding_gives_the_same_logits(make, batch, pooling: str) -> None:
    classifier = make(pooling)
    for fill in (0, 5):  # whatever stands in the padding
        longer = {name: tf.pad(batch[name], [[0, 0], [0, 20]], constant_values=fill) for name in (WORD_IDS,)}
        longer |= {name: tf.pad(batch[name], [[0, 0], [0, 20]]) for name in (MASK, TYPE_IDS)}
        np.testing.assert_allclose(classifier(longer), classifier(batch), atol=1e-6)


def test_a_row_has_the_same_logits_alone_and_in_a_batch(make, batch) -> None:
    classifier = make("mean")
    together = classifier(batch).numpy()
    for index, length in enumerate(batch[MASK].numpy().sum(axis=1)):
        alone = {name: tensor[index : index + 1, :length] for name, tensor in batch.items()}
        np.testing.assert_allclose(classifier(alone)[0], together[index], atol=1e-6)


def test_mean_is_the_mean_of_the_tokens_states(make, batch) -> None:
    classifier = make("mean")
    logits = classifier(batch).numpy()
    states = classifier.encoder(batch)["sequence_output"].numpy()
    lengths = batch[MASK].numpy().sum(axis=1)
    means = np.stack([row[:length].mean(axis=0) for row, length in zip(states, lengths, strict=True)])
    np.testing.assert_allclose(logits, head(classifier, means), atol=1e-6)


def test_cls_is_the_first_tokens_state(make, batch) -> None:
    classifier = make("cls")
    logits = classifier(batch).numpy()
    np.testing.assert_allclose(
        logits, head(classifier, classifier.encoder(batch)["sequence_output"][:, 0, :]), atol=1e-6
    )


def test_pooled_is_the_hubs_pooled_output(make, batch, tiny_model: HubModel) -> None:
    classifier = make("pooled")
    logits = classifier(batch).numpy()
    hub = tiny_model.load()(batch, training=False)["pooled_output"]
    np.testing.assert_allclose(logits, head(classifier, hub), atol=1e-5)


def test_the_seed_fixes_the_heads_weights(make, batch) -> None:
    first, same, other = (make("cls", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first(batch), same(batch))
    assert not np.array_equal(first(batch), other(batch))


def test_the_head_always_trains(tiny_encoder, batch) -> None:
    encoder = tiny_encoder({"freeze": "all"}).encoder
    classifier = BertClassifier(encoder, outputs=4, pooling="pooled", dropout=0.1, seed=0)
    assert classifier(batch).shape == (5, 4)
    trained = [tuple(variable.shape) for variable in classifier.trainable_variables]
    assert trained == [(32, 4), (4,)]


def test_only_training_drops_out(make, batch) -> None:
    classifier = make("pooled")
    np.testing.assert_array_equal(classifier(batch), classifier(batch, training=False))
    assert np.abs(classifier(batch, training=True) - classifier(batch)).max() > 1e-3


def test_a_step_differentiates_and_updates_what_trains_now_and_the_head(tiny_encoder, batch) -> None:
    planned = tiny_encoder({"freeze": "embeddings"})
    classifier = BertClassifier(planned.encoder, outputs=3, pooling="pooled", dropout=0.1, seed=0)
    classifier(batch)
    classifier.compile(Spy(), keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    everything = [variable.name for variable in classifier.trainable_variables]
    held = [name for name in everything if "layer_0" in name or "layer_1" in name]
    now = [name for name in everything if name not in held]
    assert len(held) == 2 * 16 and len(now) == 16 + 2 + 2
    classifier.train_only({name.removesuffix(":0") for name in now})
    assert [variable.name for variable in classifier.training_variables] == now
    assert [variable.name for variable in classifier.trainable_variables] == everything
    before = {variable.name: variable.numpy() for variable in classifier.trainable_variables}
    classifier.train_on_batch(batch, tf.constant([0, 1, 2, 0, 1]))
    assert classifier.optimizer.updated == now
    same = {each.name for each in classifier.trainable_variables if np.array_equal(each, before[each.name])}
    # A key's bias adds the same to all scores of a query, which the softmax takes out again.
    assert set(held) <= same <= {*held, "transformer/layer_2/self_attention/key/bias:0"}


def test_before_any_stage_all_that_is_trainable_trains(make, batch) -> None:
    classifier = make("pooled")
    classifier(batch)
    assert [id(each) for each in classifier.training_variables] == [id(each) for each in classifier.trainable_variables]


class Spy(keras.optimizers.SGD):
    """Remembers what it was to update."""

    def apply_gradients(self, grads_and_vars: Any, **more: Any) -> Any:
        pairs = list(grads_and_vars)
        self.updated = [variable.name for gradient, variable in pairs if gradient is not None]
        return super().apply_gradients(pairs, **more)
