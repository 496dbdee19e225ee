"""What the Trainer leaves behind for ReleaseGate."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.features import LABEL_VOCABULARY
from trainer_module.predicted_rows import MOST_ROWS
from trainer_module.predictions import Prediction, Predictions, predict, row_names
from trainer_module.training.classifier import BertClassifier


@pytest.fixture(scope="module")
def classifier(tiny_encoder: Callable[..., Any]) -> BertClassifier:
    return BertClassifier(tiny_encoder().encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)


def test_each_of_the_first_rows_has_the_classifiers_probabilities(classifier: BertClassifier, reviews: Any) -> None:
    rows = reviews.tokens
    labels = reviews.output.vocabulary_by_name(LABEL_VOCABULARY)
    made = predict(classifier, rows, labels)
    assert made.classes == [label.decode() for label in labels]
    assert [each.row for each in made.rows] == row_names(rows)
    inputs, _ = rows.batch(np.arange(len(rows)))
    expected = tf.nn.softmax(classifier(inputs)).numpy()
    np.testing.assert_allclose([each.values for each in made.rows], expected, atol=1e-6)


def test_probabilities_are_in_the_order_in_which_the_exported_model_answers(
    classifier: BertClassifier, make_rows: Callable[..., Any]
) -> None:
    rows = make_rows([2, 9, 3], [2, 10, 11, 3])
    plain, numbered = (predict(classifier, rows, labels) for labels in ([b"b", b"a"], [b"1", b"0"]))
    assert (plain.classes, numbered.classes) == (["b", "a"], ["0", "1"])
    assert [each.values[::-1] for each in numbered.rows] == [each.values for each in plain.rows]


def test_a_text_that_occurs_again_is_asked_once_and_no_more_than_enough(
    classifier: BertClassifier, make_rows: Callable[..., Any]
) -> None:
    texts = [[2, 5 + index // 2, 3] for index in range(3 * MOST_ROWS)]
    made = predict(classifier, make_rows(*texts), [b"a", b"b"])
    assert [each.row for each in made.rows] == row_names(make_rows(*texts[::2]))[:MOST_ROWS]


def test_a_regression_has_one_number_a_row_and_no_classes(tiny_encoder: Callable[..., Any], scored_pairs: Any) -> None:
    regression = BertClassifier(tiny_encoder().encoder, outputs=1, pooling="pooled", dropout=0.1, seed=0)
    made = predict(regression, scored_pairs.tokens, [])
    assert made.classes == []
    expected = regression(scored_pairs.tokens.batch(np.arange(2))[0]).numpy()
    np.testing.assert_allclose([each.values for each in made.rows], expected, atol=1e-5)


def test_it_comes_back_from_json_even_where_a_number_is_none() -> None:
    made = Predictions(classes=["a"], rows=[Prediction(row="00", values=[float("nan")])])
    again = Predictions.model_validate_json(made.model_dump_json())
    assert np.isnan(again.rows[0].values[0])
