"""ReleaseGate, run as TFX runs it: on models as the Trainer exports them, and on broken ones."""

import json
import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.release_gate.report import Check, ReleaseReport
from trainer_module.errors import UserError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("probe_once")]

CANNOT = "the exported model can't be asked in a process with TensorFlow and tensorflow-text only: "


def measured(report: ReleaseReport) -> dict[str, float | None]:
    return {check.name: check.measured for check in report.checks}


def failed(report: ReleaseReport) -> list[str]:
    return [check.name for check in report.checks if check.problems]


def reason(gated: Any) -> str:
    return str(gated.outputs["blessing"][0].get_string_custom_property("reason"))


def test_a_sound_model_is_blessed_and_every_number_is_told(sound: Any) -> None:
    report = sound.run(audited="", max_size_mb=100, max_p99_ms=10_000)
    assert (report.verdict, report.problems, sound.blessed) == ("passed", [], True)
    latency = "p99 latency of one row in ms, of 200 requests"
    assert [check.name for check in report.checks] == [
        "real rows",
        "size in MB",
        "weights",
        "process",
        "signatures",
        "answers",
        "shapes",
        "difference of probabilities' sum from 1",
        "labels",
        "difference from the Trainer's model",
        "difference between signatures",
        "labels of raw rows",
        "classes",
        latency,
    ]
    numbers: dict[str, Any] = measured(report)
    assert numbers["real rows"] == 64
    files = [path for path in sound.model_dir.rglob("*") if path.is_file()]
    assert numbers["size in MB"] == sum(path.stat().st_size for path in files) / 1e6
    assert numbers["difference from the Trainer's model"] < 1e-5
    assert 0 < numbers[latency] < 10_000
    assert report.tensorflow == tf.__version__
    assert sound.outputs["report"][0].get_string_custom_property("verdict") == "passed"


# Whole pipelines show it as well: tests/end_to_end/test_regression_run.py and test_pair_run.py.
@pytest.mark.soak
def test_a_regression_on_pairs_passes_too(regression: Any) -> None:
    report = regression.run()
    assert (report.problems, regression.blessed) == ([], True)
    assert measured(report)["real rows"] == 2
    assert "predictions" in measured(report) and "classes" not in measured(report)


def test_all_that_is_wrong_is_listed_at_once_with_numbers(sound: Any, caplog: pytest.LogCaptureFixture) -> None:
    report = sound.run(audited="1 frozen variables differ", max_size_mb=0.01, max_p99_ms=1e-3)
    size, latency = report.problems
    assert re.fullmatch(r"the exported model has \S+ MB; release_gate.max_size_mb allows 0.01", size)
    assert re.fullmatch(r"p99 latency of one row: \S+ ms; release_gate.max_p99_ms allows 0.001", latency)
    assert not sound.blessed
    assert reason(sound) == f"1 frozen variables differ; {size}; {latency}"
    assert f"release gate: {size}" in caplog.messages


def test_what_the_audit_withholds_is_withheld(sound: Any) -> None:
    report = sound.run(audited="1 frozen variables differ")
    assert (report.verdict, sound.blessed, reason(sound)) == ("passed", False, "1 frozen variables differ")


def change_predictions(gated: Any, change: Callable[[int, list[float]], list[float]]) -> None:
    """Changes what the Trainer says that its model answered, row by row."""
    content = json.loads(gated.predictions_file.read_text(encoding="utf-8"))
    for number, row in enumerate(content["rows"]):
        row["values"] = change(number, row["values"])
    gated.predictions_file.write_text(json.dumps(content), encoding="utf-8")


def test_a_model_that_is_not_the_trained_one_is_found(sound: Any) -> None:
    change_predictions(sound, lambda _, values: values[::-1])
    report = sound.run()
    assert failed(report) == ["difference from the Trainer's model"]
    problem = report.problems[0]
    assert problem.startswith("signature serving_default, real rows: difference from the Trainer's model: 0.")
    assert problem.endswith("; release_gate.tolerance allows 0.0001")
    assert not sound.blessed


def test_the_tolerance_is_the_configs(sound: Any) -> None:
    change_predictions(sound, lambda row, values: [value + 0.01 * (row == 5) for value in values])
    assert len(sound.run().problems) == 2, "one of each signature; the row that is asked alone is another one"
    assert sound.run(tolerance=0.02).problems == []


def test_one_weight_that_no_question_reaches_and_is_not_finite_is_found(sound: Any) -> None:
    def spoil(value: np.ndarray) -> np.ndarray:
        if value.ndim == 2 and len(value) > 100:  # the word embeddings, which are the largest
            value[4, 0] = np.nan  # [MASK]'s
        return value

    sound.replace_weights(spoil)
    report = sound.run()
    assert report.problems == ["the exported model has weights that are NaN or infinite: word_embeddings/embeddings"]
    assert failed(report) == ["weights"]
    assert not sound.blessed


def test_answers_that_are_no_numbers_are_found(sound: Any) -> None:
    sound.replace_weights(lambda variable: variable * np.nan)
    report = sound.run()
    assert failed(report)[:2] == ["weights", "difference of probabilities' sum from 1"]
    assert (
        "signature predict_text, empty texts: difference of probabilities' sum from 1: not a finite number; "
        "allowed is 0.0001"
    ) in report.problems
    assert not sound.blessed


def test_a_model_that_cannot_be_loaded_is_not_blessed(sound: Any) -> None:
    graph = sound.model_dir / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:1000])
    (problem,) = sound.run().problems
    assert problem.startswith(f"{CANNOT}its process ended with 1: ")
    assert not sound.blessed


def save(gated: Any, serve: Any) -> None:
    """Puts a model with one signature in the place of the exported one."""
    module = tf.Module()
    module.serve = tf.function(
        serve, autograph=False, input_signature=[tf.TensorSpec([None], tf.string, name="examples")]
    )
    shutil.rmtree(gated.model_dir)
    tf.saved_model.save(module, str(gated.model_dir), signatures={"serving_default": module.serve})


def test_a_model_that_never_answers_is_given_up(sound: Any) -> None:
    def endless(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        (count,) = tf.while_loop(lambda count: count >= 0, lambda count: (count % 7,), (tf.size(examples),))
        return {"prediction": tf.cast(count, tf.float32)[tf.newaxis]}

    save(sound, endless)
    assert sound.run(timeout_seconds=6).problems == [f"{CANNOT}no answer after 6 s"]
    assert not sound.blessed


def test_missing_signatures_and_answers_of_another_shape_are_told_for_as_many_rows_as_configured(sound: Any) -> None:
    save(sound, lambda examples: {"scores": tf.ones([tf.size(examples), 3])})
    problems = sound.run(rows=5).problems
    for name in ("predict_text", "transform_features", "classes"):
        assert f"there is no signature {name}; there are: serving_default" in problems
    assert (
        "signature serving_default, real rows: gave scores [5, 3] instead of label [5], probabilities [5, 2]"
    ) in problems


def test_rows_that_the_trainer_answered_but_nobody_has_are_told(sound: Any) -> None:
    with tf.io.TFRecordWriter(str(sound.folder / "examples" / "Split-eval" / "rows.gz"), "GZIP"):
        pass
    report = sound.run()
    assert report.problems == ["64 of the 64 rows that the Trainer answered aren't in `examples`"]
    assert Check(name="real rows", measured=0, problems=report.problems) in report.checks
    assert not sound.blessed


def test_a_model_run_without_predictions_is_a_mistake_in_the_pipeline(sound: Any) -> None:
    sound.predictions_file.unlink()
    with pytest.raises(UserError) as caught:
        sound.run()
    assert str(caught.value) == (
        f"model_run: there is no {sound.predictions_file}; give ReleaseGate the `model_run` of a Trainer with "
        'run_fn="trainer_module.run_fn"'
    )
