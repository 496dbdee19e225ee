"""Both exports answer the same, in a process that has nothing of ours."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401 (the tokenizer's operations)

from benchmarks.serving.exports import make_exports
from benchmarks.serving.latency import Padding
from benchmarks.serving.loaded_export import LoadedExport
from benchmarks.serving.review_rows import Review
from trainer_module.settings import BertSettings

pytestmark = pytest.mark.slow

TEXTS = ["the film is good", "a story that is not very great"]


@pytest.fixture(scope="module")
def exports(tiny_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Padding, Path]:
    settings = BertSettings(hub=str(tiny_hub), text=["sentence"], label="label", max_tokens=64, pooling="mean")
    reviews = [Review(text, label) for text, label in zip(TEXTS * 4, "10" * 4, strict=True)]
    return make_exports(settings, reviews, tmp_path_factory.mktemp("exports"))


def test_both_answer_the_same(exports: dict[Padding, Path]) -> None:
    ours, padded = (
        tf.saved_model.load(str(path)).signatures["predict_text"](sentence=tf.constant(TEXTS))
        for path in exports.values()
    )
    np.testing.assert_allclose(ours["probabilities"], padded["probabilities"], atol=1e-5)
    assert ours["label"].numpy().tolist() == padded["label"].numpy().tolist()


def test_only_one_computes_max_tokens_positions(exports: dict[Padding, Path]) -> None:
    def lengths(path: Path) -> set[int]:
        graph = tf.saved_model.load(str(path)).signatures["predict_text"].graph.as_graph_def(add_shapes=True)
        nodes = [node for function in graph.library.function for node in function.node_def]
        shapes = [shape for node in nodes for shape in node.attr["_output_shapes"].list.shape]
        return {shape.dim[1].size for shape in shapes if len(shape.dim) == 3}

    assert 64 not in lengths(exports["longest"])
    assert 64 in lengths(exports["max_tokens"])


def test_a_loaded_export_times_each_request_until_its_process_ends_which_is_told(exports: dict[Padding, Path]) -> None:
    with LoadedExport(exports["longest"]) as loaded:
        for signature in ("predict_text", "serving_default"):
            first = loaded.ask(signature, [TEXTS, TEXTS[:1], TEXTS])
            second = loaded.ask(signature, [TEXTS])
            assert (len(first), len(second)) == (3, 1)
            assert all(milliseconds > 0 for milliseconds in first + second)
        with pytest.raises(RuntimeError, match=r"served .*/longest ended with code 1"):
            loaded.ask("no_such_signature", [TEXTS])
