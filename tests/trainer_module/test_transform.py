"""What Transform makes of raw columns, on Beam and in the graph that it leaves behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from trainer_module.errors import UserError
from trainer_module.features import LABEL, LABEL_VOCABULARY, TYPE_IDS, WORD_IDS
from trainer_module.hub.hub_model import HubModel
from trainer_module.transform import preprocessing_fn

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ids(tiny_model: HubModel) -> Callable[[str], list[int]]:
    """The ids of space-separated pieces of the tiny vocabulary."""
    assert tiny_model.vocab_path
    pieces = Path(tiny_model.vocab_path).read_text(encoding="utf-8").splitlines()
    return lambda text: [pieces.index(piece) for piece in text.split()]


@pytest.fixture(scope="module")
def reviews_layer(reviews) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return reviews.output.transform_features_layer()


def refusal(inputs: dict[str, Any], **bert: Any) -> str:
    config = {"bert": {"hub": "nowhere", "text": ["sentence"], "label": "label", **bert}}
    with pytest.raises(UserError) as error:
        preprocessing_fn(inputs, config)
    return str(error.value)


def test_a_text_becomes_its_unpadded_ids(reviews, ids) -> None:
    assert set(reviews.rows[0]) == {WORD_IDS, LABEL}
    assert reviews.rows[0][WORD_IDS].tolist() == ids("[CLS] the film is good [SEP]")
    assert reviews.rows[7][WORD_IDS].tolist() == ids("[CLS] the film is very awful [SEP]")
    assert {len(row[WORD_IDS]) for row in reviews.rows} > {6, 7}


def test_text_is_lower_cased_as_the_vocabulary_wants(reviews, ids) -> None:
    assert reviews.rows[32][WORD_IDS].tolist() == ids("[CLS] a film is good [SEP]")


def test_string_labels_are_indexes_into_their_vocabulary(reviews) -> None:
    assert sorted(reviews.output.vocabulary_by_name(LABEL_VOCABULARY)) == [b"negative", b"positive"]
    labels = reviews.output.vocabulary_by_name(LABEL_VOCABULARY)
    assert [labels[row[LABEL]] for row in reviews.rows[:4]] == [b"positive", b"positive", b"negative", b"negative"]
    assert reviews.rows[0][LABEL].dtype == np.int64


def test_what_comes_out_is_declared(reviews) -> None:
    assert reviews.output.transformed_feature_spec() == {
        WORD_IDS: tf.io.VarLenFeature(tf.int64),
        LABEL: tf.io.FixedLenFeature([], tf.int64),
    }


def test_an_unknown_label_is_minus_one(reviews, reviews_layer) -> None:
    labels = tf.sparse.from_dense([["positive"], ["neutral"], ["Positive"]])
    transformed = reviews_layer({"sentence": tf.constant([["good"]] * 3), "label": labels})
    expected = reviews.output.vocabulary_by_name(LABEL_VOCABULARY).index(b"positive")
    assert transformed[LABEL].numpy().tolist() == [expected, -1, -1]


def test_a_missing_label_is_minus_one(reviews_layer) -> None:
    nothing = tf.SparseTensor(np.zeros((0, 2), np.int64), tf.constant([], tf.string), [2, 0])
    transformed = reviews_layer({"sentence": tf.constant([["good"]] * 2), "label": nothing})
    assert transformed[LABEL].numpy().tolist() == [-1, -1]


def test_the_graph_needs_no_label_to_tokenize(reviews_layer, ids) -> None:
    words = reviews_layer({"sentence": tf.constant([["bad"], [""]])})[WORD_IDS]
    assert tf.RaggedTensor.from_sparse(words).to_list() == [ids("[CLS] bad [SEP]"), ids("[CLS] [SEP]")]


def test_the_graph_cuts_at_max_tokens(reviews_layer, ids) -> None:
    words = reviews_layer({"sentence": tf.constant([["good " * 14], ["good " * 15]])})[WORD_IDS]
    expected = ids("[CLS] " + "good " * 14 + "[SEP]")
    assert tf.RaggedTensor.from_sparse(words).to_list() == [expected, expected]
    assert len(expected) == 16


@pytest.fixture
def transform(tiny_hub: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Runs `preprocessing_fn` at once, where no vocabulary of labels is made."""
    monkeypatch.setattr(tft, "make_and_track_object", lambda factory, name=None: factory())

    def run(inputs: dict[str, Any], **bert: Any) -> dict[str, Any]:
        return preprocessing_fn(inputs, {"bert": {"hub": str(tiny_hub), "label": "label", "max_tokens": 10, **bert}})

    return run


PAIRS = {
    "#1 String": tf.sparse.from_dense([["good film"], ["a a a a a a a a"], [""]]),
    "#2 String": tf.sparse.SparseTensor([[0, 0], [1, 0]], tf.constant([7, 1234], tf.int64), [3, 1]),
    "label": tf.constant([0.5, -2.0, 1e6]),
}


def test_pairs_give_segment_ids(transform, ids) -> None:
    outputs = transform(PAIRS, text=["#1 String", "#2 String"], task="regression")
    assert set(outputs) == {WORD_IDS, TYPE_IDS, LABEL}
    words, types = (tf.RaggedTensor.from_sparse(outputs[name]).to_list() for name in (WORD_IDS, TYPE_IDS))
    assert words[0] == ids("[CLS] good film [SEP] 7 [SEP]")
    assert types[0] == [0, 0, 0, 0, 1, 1]
    assert words[1] == ids("[CLS] a a a a [SEP] 1 ##2 ##3 [SEP]")
    assert types[1] == [0] * 6 + [1] * 4
    assert outputs[WORD_IDS].dtype == outputs[TYPE_IDS].dtype == tf.int64


def test_missing_texts_are_empty(transform, ids) -> None:
    nothing = tf.SparseTensor(np.zeros((0, 2), np.int64), tf.constant([], tf.string), [3, 0])
    inputs = PAIRS | {"#1 String": nothing, "#2 String": nothing}
    outputs = transform(inputs, text=["#1 String", "#2 String"], task="regression")
    assert tf.RaggedTensor.from_sparse(outputs[WORD_IDS]).to_list() == [ids("[CLS] [SEP] [SEP]")] * 3
    assert tf.RaggedTensor.from_sparse(outputs[TYPE_IDS]).to_list() == [[0, 0, 1]] * 3


def test_a_missing_number_stays_an_empty_text(transform, ids) -> None:
    words = transform(PAIRS, text=["#2 String"], task="regression")[WORD_IDS]
    assert tf.RaggedTensor.from_sparse(words).to_list()[2] == ids("[CLS] [SEP]")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (tf.constant([0.5, -2.0]), [0.5, -2.0]),
        (tf.constant([[0.5], [-2.0]]), [0.5, -2.0]),
        (tf.constant([3, -4], tf.int64), [3.0, -4.0]),
        (tf.constant([["0.25"], ["-1e3"]]), [0.25, -1000.0]),
        (tf.sparse.from_dense([[1.5], [2.5]]), [1.5, 2.5]),
    ],
)
def test_a_regressions_label_is_a_float(transform, column: Any, expected: list[float]) -> None:
    outputs = transform({"t": tf.constant([["x"], ["y"]]), "label": column}, text=["t"], task="regression")
    assert outputs[LABEL].dtype == tf.float32
    assert outputs[LABEL].numpy().tolist() == expected


@pytest.mark.parametrize(
    ("column", "classes"),
    [
        (tf.constant([[10], [-3]], tf.int64), [b"10", b"-3"]),
        (tf.sparse.from_dense([[10], [-3]]), [b"10", b"-3"]),
        (tf.sparse.from_dense([[0], [-3]]), [b"", b"-3"]),  # no label isn't the label 0
        (tf.ragged.constant([[10, 11], [0]]), [b"10", b"0"]),
        (tf.constant([["x"], [" y"]]), [b"x", b" y"]),
    ],
)
def test_classes_are_integers_or_strings(
    transform, monkeypatch: pytest.MonkeyPatch, column: Any, classes: list[bytes]
) -> None:
    def make_vocabulary(values: tf.Tensor, **options: Any) -> tf.Tensor:
        assert options == {"default_value": -1, "num_oov_buckets": 0, "vocab_filename": LABEL_VOCABULARY}
        return values

    monkeypatch.setattr(tft, "compute_and_apply_vocabulary", make_vocabulary)
    outputs = transform({"t": tf.constant([["x"], ["y"]]), "label": column}, text=["t"])
    assert set(outputs) == {WORD_IDS, LABEL}
    assert outputs[LABEL].numpy().tolist() == classes


def test_fractional_labels_of_classes_are_refused(transform) -> None:
    with pytest.raises(UserError, match=r"data\.label: 'label' holds fractional numbers"):
        transform({"t": tf.constant([["x"]]), "label": tf.constant([0.5])}, text=["t"])


def test_a_preprocessing_model_tokenizes_in_place_of_the_encoder(transform, hub_model) -> None:
    preprocess = hub_model("bert_preprocess")
    pieces = (preprocess / "assets" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    inputs = {"t": tf.constant([["the [UNK]"]]), "label": tf.constant([0.5])}
    words = transform(inputs, text=["t"], task="regression", preprocess=str(preprocess))[WORD_IDS].values.numpy()
    assert (words[0], words[1], words[-1]) == tuple(pieces.index(piece) for piece in ("[CLS]", "the", "[SEP]"))


@pytest.mark.parametrize(
    ("inputs", "text", "missing"),
    [
        (["sentence", "id"], ["sentence"], "'label'"),
        (["label", "id"], ["sentence"], "'sentence'"),
        (["id", "Sentence"], ["sentence", "other"], "'sentence', 'other', 'label'"),
    ],
)
def test_a_missing_column_is_named_with_those_that_exist(inputs: list[str], text: list[str], missing: str) -> None:
    columns = {name: tf.constant([["x"]]) for name in inputs}
    assert refusal(columns, text=text) == f"data: no column {missing}; there are: {', '.join(sorted(inputs))}"


def test_wrong_settings_are_refused() -> None:
    assert "bert.max_tokens" in refusal({}, max_tokens=2)


def test_a_model_that_is_not_there_is_refused() -> None:
    columns = {name: tf.constant([["x"]]) for name in ("sentence", "label")}
    assert refusal(columns).startswith("model.hub: no such folder: nowhere")


def test_a_preprocessing_model_that_is_not_one_is_refused(tmp_path: Path) -> None:
    columns = {name: tf.constant([["x"]]) for name in ("sentence", "label")}
    message = refusal(columns, preprocess=str(tmp_path))
    assert message.startswith(f"model.preprocess: {tmp_path} is not a SavedModel (it has no saved_model.pb)")
