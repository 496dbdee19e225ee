"""What the head reads of the encoder's output."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.classifier import BertClassifier
from trainer_module.encoder.probe import probe_batch
from trainer_module.features import MASK, TYPE_IDS, WORD_IDS
from trainer_module.hub_model import HubModel


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
    states = classifier.encoder(batch).numpy()
    lengths = batch[MASK].numpy().sum(axis=1)
    means = np.stack([row[:length].mean(axis=0) for row, length in zip(states, lengths, strict=True)])
    np.testing.assert_allclose(logits, head(classifier, means), atol=1e-6)


def test_cls_is_the_first_tokens_state(make, batch) -> None:
    classifier = make("cls")
    logits = classifier(batch).numpy()
    np.testing.assert_allclose(logits, head(classifier, classifier.encoder(batch)[:, 0, :]), atol=1e-6)


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
