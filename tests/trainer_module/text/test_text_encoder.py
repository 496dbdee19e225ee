"""Tokenizing and packing in one function, made once."""

from pathlib import Path

import pytest
import tensorflow as tf

from trainer_module.text.text_encoder import text_encoder
from trainer_module.text.vocabulary import Vocabulary

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film"]


@pytest.fixture
def vocabulary(tmp_path: Path) -> Vocabulary:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES), encoding="utf-8")
    return Vocabulary(str(path), lower_case=True, start=2, separator=3)


def test_one_column_has_one_segment(vocabulary: Vocabulary) -> None:
    words, types = text_encoder(vocabulary, 1, 4)(tf.constant(["Good film", "bad bad bad", ""]))
    assert words.to_list() == [[2, 4, 6, 3], [2, 5, 5, 3], [2, 3]]
    assert types.to_list() == [[0] * 4, [0] * 4, [0] * 2]
    assert words.dtype == types.dtype == tf.int32


def test_two_columns_have_two(vocabulary: Vocabulary) -> None:
    words, types = text_encoder(vocabulary, 2, 8)(tf.constant(["good film"]), tf.constant(["bad"]))
    assert words.to_list() == [[2, 4, 6, 3, 5, 3]]
    assert types.to_list() == [[0, 0, 0, 0, 1, 1]]


def test_it_is_made_once(vocabulary: Vocabulary) -> None:
    assert text_encoder(vocabulary, 1, 4) is text_encoder(vocabulary, 1, 4)
    assert text_encoder(vocabulary, 1, 4) is not text_encoder(vocabulary, 1, 5)


def test_it_is_made_anew_when_its_file_was_replaced(vocabulary: Vocabulary) -> None:
    before = text_encoder(vocabulary, 1, 4)
    with open(vocabulary.path, "a", encoding="utf-8") as file:
        file.write("\nfine")
    assert text_encoder(vocabulary, 1, 4) is not before


def test_a_graph_that_uses_it_several_times_holds_it_once(vocabulary: Vocabulary) -> None:
    encode = text_encoder(vocabulary, 1, 4)

    @tf.function(autograph=False)
    def twice(texts: tf.Tensor) -> tf.Tensor:
        return encode(texts)[0].values + encode(texts)[0].values

    graph = twice.get_concrete_function(tf.TensorSpec([None], tf.string)).graph
    calls = [op.get_attr("f").name for op in graph.get_operations() if op.type.endswith("PartitionedCall")]
    assert len(calls) == 2 and len(set(calls)) == 1


def test_its_tables_travel_with_the_graph_that_uses_it(vocabulary: Vocabulary, tmp_path: Path) -> None:
    module = tf.Module()
    module.encode = text_encoder(vocabulary, 1, 4)
    module.serve = tf.function(lambda texts: module.encode(texts)[0].to_tensor(), autograph=False)
    signature = module.serve.get_concrete_function(tf.TensorSpec([None], tf.string))
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=signature)
    Path(vocabulary.path).unlink()
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    assert next(iter(loaded.signatures["serving_default"](tf.constant(["bad film"])).values())).numpy().tolist() == [
        [2, 5, 6, 3]
    ]
