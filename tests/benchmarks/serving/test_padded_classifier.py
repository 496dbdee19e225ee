"""The encoder always gets `max_tokens` positions; those added are masked."""

import pytest
import tensorflow as tf
import tf_keras as keras

from benchmarks.serving.padded_classifier import PaddedClassifier
from trainer_module.features import MASK, TYPE_IDS, WORD_IDS


class Recorder(keras.layers.Layer):
    """An encoder whose tokens' states are their ids; remembers what it was given."""

    def outputs(self, inputs, noise=None, first=0, first_only=False):
        self.given = inputs
        return {"sequence_output": tf.cast(inputs[WORD_IDS], tf.float32)[:, :, tf.newaxis]}


@pytest.fixture
def encoder() -> Recorder:
    return Recorder()


@pytest.fixture
def classifier(encoder: Recorder) -> PaddedClassifier:
    return PaddedClassifier(encoder, outputs=2, pooling="mean", dropout=0.1, seed=0, max_tokens=6)


def inputs(*words: list[int]) -> dict[str, tf.Tensor]:
    ids = tf.constant(words)
    return {WORD_IDS: ids, MASK: tf.cast(ids > 0, tf.int32), TYPE_IDS: tf.zeros_like(ids)}


def test_texts_are_padded_to_max_tokens(encoder: Recorder, classifier: PaddedClassifier) -> None:
    classifier(inputs([2, 7, 3], [2, 3, 0]))
    given = {name: ids.numpy().tolist() for name, ids in encoder.given.items()}
    assert given == {
        WORD_IDS: [[2, 7, 3, 0, 0, 0], [2, 3, 0, 0, 0, 0]],
        MASK: [[1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]],
        TYPE_IDS: [[0] * 6] * 2,
    }


def test_the_length_is_known_when_it_is_traced(encoder: Recorder, classifier: PaddedClassifier) -> None:
    spec = {name: tf.TensorSpec([None, None], tf.int32) for name in (WORD_IDS, MASK, TYPE_IDS)}
    tf.function(classifier, autograph=False).get_concrete_function(spec)
    assert encoder.given[WORD_IDS].shape.as_list() == [None, 6]


def test_padding_does_not_change_the_answer(classifier: PaddedClassifier) -> None:
    short, long = classifier(inputs([2, 7, 3])), classifier(inputs([2, 7, 3, 0, 0, 0]))
    assert short.numpy().tolist() == long.numpy().tolist()


def test_a_longer_text_is_refused(classifier: PaddedClassifier) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        classifier(inputs([2, 7, 7, 7, 7, 7, 3]))
