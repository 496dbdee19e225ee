"""A number to predict, from files as they come out of old programs: latin-1, no header row, some rows unusable."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the ops of the pushed model's tokenizer

from pipeline.run_result import RunResult
from tests.support.project import Project

pytestmark = pytest.mark.slow

CONFIG = """
[data]
train = "train.tsv"
eval = "eval.tsv"
columns = ["id", "score", "text"]
delimiter = "\\t"
quoting = "none"
encoding = "latin-1"
text = ["text"]
label = "score"

[model]
hub = "HUB"
task = "regression"
pooling = "mean"
max_tokens = 16
freeze = [{ freeze = "all" }, { train = "bias" }]

[train]
steps = 8
batch_size = 16
learning_rate = 1e-2

[evaluate.thresholds.mse]
at_most = 1000.0
no_worse_than_live_by = 0.0
"""
Rows = list[tuple[str, float]]


def make_rows(count: int, seed: int) -> Rows:
    rng = random.Random(seed)
    words = ["good", "bad", "fine", "awful", "café", "naïve", '"quoted', "film"]
    rows = []
    for _ in range(count):
        text = " ".join(rng.choice(words) for _ in range(rng.randint(2, 8)))
        rows.append((text, 3.0 * text.count("good") - 2.0 * text.count("bad") + 0.25))
    return rows


def as_tsv(rows: Rows) -> bytes:
    return "".join(f"{number}\t{score}\t{text}\n" for number, (text, score) in enumerate(rows)).encode("latin-1")


EVAL_ROWS = make_rows(40, seed=1)


@pytest.fixture(scope="module")
def result(make_project: Callable[[str], Project]) -> RunResult:
    project = make_project(CONFIG)
    unusable = "x\tn/a\tno number\ny\tinf\tno finite number\nz\t1.0\t \n".encode("latin-1")
    project.write("train.tsv", as_tsv(make_rows(100, seed=0)) + unusable)
    project.write("eval.tsv", as_tsv(EVAL_ROWS))
    finished: RunResult = project.run()
    return finished


@pytest.fixture(scope="module")
def predictions(result: RunResult) -> np.ndarray:
    model = tf.saved_model.load(result.pushed_model)
    assert sorted(model.signatures) == ["predict_text", "serving_default", "transform_features"]
    answers = model.signatures["predict_text"](text=tf.constant([text for text, _ in EVAL_ROWS]))
    assert list(answers) == ["prediction"]
    return np.array(answers["prediction"])


def test_blessed_and_pushed(result: RunResult) -> None:
    assert result.blessed
    assert result.pushed_model is not None
    assert (Path(result.pushed_model) / "saved_model.pb").is_file()
    assert set(result.to_json()["metrics"]) == {
        "mse", "mae", "pearson_r2", "example_count", "baseline_mse", "baseline_p_value"
    }  # fmt: skip
    assert result.evaluation.metrics["baseline_mse"] == pytest.approx(np.var([score for _, score in EVAL_ROWS]))
    assert result.evaluation.metrics["example_count"] == len(EVAL_ROWS)


def test_the_metrics_are_those_of_the_pushed_model(result: RunResult, predictions: np.ndarray) -> None:
    scores = np.array([score for _, score in EVAL_ROWS])
    assert predictions.shape == scores.shape
    metrics = result.evaluation.metrics
    assert metrics["mse"] == pytest.approx(np.mean((predictions - scores) ** 2), rel=1e-4)
    assert metrics["mae"] == pytest.approx(np.mean(np.abs(predictions - scores)), rel=1e-4)
    assert metrics["pearson_r2"] == pytest.approx(np.corrcoef(predictions, scores)[0, 1] ** 2, rel=1e-3, abs=1e-4)


def test_an_unused_pooler_counts_as_frozen(result: RunResult) -> None:
    states = {block.name: block.state for block in result.plan.blocks()}
    assert states["pooler"] == "unused"
    assert states["encoder[0]"] == "partly frozen"
    trained = {variable.name.rpartition("/")[2] for variable in result.plan.variables if variable.trainable}
    assert trained == {"bias"}
