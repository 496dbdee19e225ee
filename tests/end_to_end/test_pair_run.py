"""Sentence pairs out of TFRecords, with the other local runner."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the ops of the pushed model's tokenizer

from pipeline.run_result import RunResult
from tests.support.project import Project

pytestmark = pytest.mark.slow

CONFIG = """
[data]
train = "train.tfrecord"
eval = "eval.tfrecord.gz"
text = ["#1 String", "#2 String"]
label = "same"

[model]
hub = "HUB"
max_tokens = 24
freeze = [{ freeze = "embeddings" }]
pooling = "cls"

[train]
epochs = 1
batch_size = 16
learning_rate = 1e-3

[evaluate.thresholds.auc]
at_least = 0.0
"""
Pair = tuple[str, str, int]


def make_pairs(count: int, seed: int) -> list[Pair]:
    rng = random.Random(seed)
    words = ["good", "bad", "fine", "awful", "great", "poor", "film", "story"]
    pairs = []
    for _ in range(count):
        first, other = (" ".join(rng.choices(words, k=rng.randint(1, 20))) for _ in range(2))
        same = rng.randint(0, 1)
        pairs.append((first, first if same else other, same))
    return pairs


def as_example(pair: Pair) -> bytes:
    example = tf.train.Example()
    for column, text in zip(("#1 String", "#2 String"), pair[:2], strict=True):
        example.features.feature[column].bytes_list.value.append(text.encode())
    example.features.feature["same"].int64_list.value.append(pair[2])
    return example.SerializeToString()


def write(path: Path, pairs: list[Pair]) -> None:
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for pair in pairs:
            writer.write(as_example(pair))


EVAL_PAIRS = make_pairs(40, seed=1)


@pytest.fixture(scope="module")
def result(make_project: Callable[[str], Project]) -> RunResult:
    project = make_project(CONFIG)
    write(project.folder / "train.tfrecord", make_pairs(96, seed=0))
    write(project.folder / "eval.tfrecord.gz", EVAL_PAIRS)
    finished: RunResult = project.run(runner="local")
    assert [component for event, component in project.events.heard if event == "ended"][-1] == "Pusher"
    return finished


@pytest.fixture(scope="module")
def model(result: RunResult) -> Any:
    return tf.saved_model.load(result.pushed_model)


def test_blessed_and_pushed(result: RunResult) -> None:
    assert result.blessed
    per_class = {f"{metric}/{label}" for metric in ("precision", "recall") for label in (0, 1)}
    metrics = {"accuracy", "macro_f1", "auc", "loss", "example_count", "baseline_accuracy", "baseline_p_value"}
    assert set(result.to_json()["metrics"]) - per_class == metrics


def test_the_metrics_are_those_of_the_pushed_model(result: RunResult, model: Any) -> None:
    answers = model.signatures["serving_default"](examples=tf.constant([as_example(pair) for pair in EVAL_PAIRS]))
    labels = np.array([pair[2] for pair in EVAL_PAIRS])
    metrics = result.evaluation.metrics
    given = answers["label"].numpy().astype(int)
    assert metrics["example_count"] == len(EVAL_PAIRS)
    assert metrics["accuracy"] == pytest.approx(np.mean(given == labels))

    classes = model.signatures["classes"]()["classes"].numpy().astype(int)
    scores = answers["probabilities"].numpy()
    right = scores[np.arange(len(labels)), [list(classes).index(label) for label in labels]]
    assert metrics["loss"] == pytest.approx(-np.mean(np.log(right)), rel=1e-3)


def test_the_order_of_a_pair_counts(model: Any) -> None:
    predict = model.signatures["predict_text"]
    first, second = sorted(predict.structured_input_signature[1])

    def ask(one: str, other: str) -> np.ndarray:
        answers = predict(**{first: tf.constant([one]), second: tf.constant([other])})
        return np.array(answers["probabilities"][0])

    assert not np.allclose(ask("good film", "bad story"), ask("bad story", "good film"), atol=1e-7)
    # Two long texts lose tokens from their ends; a long and a short one only from the long one.
    assert np.array_equal(ask("good " * 100, "bad"), ask("good " * 200, "bad"))
    assert not np.allclose(ask("good " * 100, "bad"), ask("good " * 100, "fine"), atol=1e-7)
