"""One project from its first run on: trained, blessed, pushed, cached, refused, and served."""

import csv
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ml_metadata import MetadataStore
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.run_result import RunResult
from tests.support.project import Project
from trainer_module.audit.freeze_audit import audit
from trainer_module.audit.plan_in_model import read_plan
from trainer_module.audit.variable_record import TrainingRecord
from trainer_module.hub.hub_model import HubModel

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("permafrost")
TOPICS = ("billing", "praise", "technical")
WEIRD = ("x" * 100_000, "😀🎉👩‍👩‍👧‍👦", "שלום עולם مرحبا", "a\0b\0", "\u202eabc \u2028 \ufeff", "- \n\r\n\t'\"")
CONFIG = """
[data]
train = "rows.csv"
eval_fraction = 0.25
text = ["text"]
label = "topic"

[model]
hub = "HUB"
max_tokens = 32
freeze = [{ freeze = "embeddings" }, { freeze = "encoder[:2]" }, { train = "encoder[1]" }]

[train]
epochs = 1
batch_size = 16
learning_rate = 1e-3

[evaluate]
must_beat_baseline = false
slices = [["channel"]]
[evaluate.thresholds.accuracy]
at_least = 0.05
no_worse_than_live_by = 0.0
"""
# They make a run that trains again and is refused.
STRICTER = ("train.learning_rate=2e-3", "evaluate.thresholds.accuracy.at_least=1.0")
BEFORE_TRAINER = {
    "FreezePlanner", "ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataProfile", "DataGate",
    "Transform",
}  # fmt: skip
ALL_BUT_RESOLVER = BEFORE_TRAINER | {"Trainer", "Evaluator", "FreezeAudit", "ReleaseGate", "Pusher"}


@dataclass
class Run:
    """A run, and what could be seen right after it."""

    result: RunResult
    pushed: list[str]
    heard: list[tuple[str, str]]
    warnings: list[str]


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What is logged of the data while the context is open; for fixtures of a wider scope than caplog's."""
    messages: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler = Collect(logging.WARNING)
    logger = logging.getLogger("permafrost")
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


def _run(project: Project, *overrides: str) -> Run:
    with _warnings() as warnings:
        result = project.run(*overrides)
    return Run(result, project.pushed(), project.events.heard, warnings)


def _rows() -> str:
    """200 tickets of three topics, six kinds of weird text per topic, and two rows that can't be used."""
    with open(REPOSITORY / "examples" / "support_tickets.csv", encoding="utf-8", newline="") as file:
        tickets = [row for row in csv.DictReader(file) if row["topic"] in TOPICS][:200]
    rows = [(row["text"], row["topic"], row["channel"]) for row in tickets]
    # Several of each, so that some fall to either split.
    rows += [(f"{text} {number}", topic, "weird") for text in WEIRD for topic in TOPICS for number in range(3)]
    rows += [("  ", "praise", "chat"), ("no label", "", "chat")]
    quoted = [['"' + value.replace('"', '""') + '"' for value in row] for row in [("text", "topic", "channel"), *rows]]
    return "".join(",".join(row) + "\n" for row in quoted)


@pytest.fixture(scope="module")
def project(make_project: Callable[[str], Project]) -> Project:
    project = make_project(CONFIG)
    project.write("rows.csv", _rows())
    return project


# Each run goes on from the one before; a test may ask for any of them.


@pytest.fixture(scope="module")
def first(project: Project) -> Run:
    return _run(project)


@pytest.fixture(scope="module")
def second(project: Project, first: Run) -> Run:
    return _run(project)


@pytest.fixture(scope="module")
def third(project: Project, second: Run) -> Run:
    return _run(project)


@pytest.fixture(scope="module")
def served(project: Project, third: Run) -> dict[str, Any]:
    """What a process that knows nothing of Permafrost gets from the pushed model."""
    return ask(third.result.pushed_model)


@pytest.fixture(scope="module")
def pushed_again(project: Project, served: dict[str, Any]) -> Run:
    shutil.rmtree(project.serving)
    return _run(project)


@pytest.fixture(scope="module")
def stricter(project: Project, pushed_again: Run) -> Run:
    return _run(project, *STRICTER)


def test_the_first_run_blesses_and_pushes(project: Project, first: Run) -> None:
    result = first.result
    assert result.blessed
    assert result.pushed_model is not None
    assert Path(result.pushed_model).parent == project.serving
    assert [Path(result.pushed_model).name] == first.pushed
    assert first.pushed[0].isdigit(), "TensorFlow Serving takes numbered folders only"
    assert (Path(result.pushed_model) / "saved_model.pb").is_file()
    assert result.cached == frozenset()
    assert result.evaluation.live == {}
    assert result.evaluation.missed == []
    assert result.log_file == "the.log"


def test_the_json_of_a_run(project: Project, first: Run) -> None:
    content = json.loads(json.dumps(first.result.to_json(), allow_nan=False))
    assert [key for key in content if key != "warnings"] == [
        "outcome",
        "blessed",
        "pushed_model",
        "metrics",
        "audit",
        "release_gate",
        "freeze",
        "seconds",
        "run_dir",
    ]
    assert content["outcome"] == "pushed"
    assert content["blessed"] is True
    assert content["audit"] == "passed"
    assert content["pushed_model"] == first.result.pushed_model
    assert content["run_dir"] == str(project.folder / "run")
    assert set(content["seconds"]) == ALL_BUT_RESOLVER | {"live_model"}
    assert all(seconds >= 0 for seconds in content["seconds"].values())
    per_class = {f"{metric}/{topic}" for metric in ("precision", "recall") for topic in TOPICS}
    # Three classes: no AUC. A class that is never predicted has no precision.
    assert set(content["metrics"]) - per_class == {
        "accuracy", "macro_f1", "loss", "example_count", "baseline_accuracy", "baseline_p_value"
    }  # fmt: skip
    assert {f"recall/{topic}" for topic in TOPICS} <= set(content["metrics"])
    assert all(0 <= value <= 1 for name, value in content["metrics"].items() if name not in ("loss", "example_count"))
    assert content["freeze"] == {
        "frozen_params": first.result.plan.frozen_params,
        "trainable_params": first.result.plan.trainable_params,
    }


def test_the_plan_is_what_the_rules_say(first: Run, tiny_hub: Path) -> None:
    plan = first.result.plan
    frozen = {block.name: block.frozen_params == block.parameters for block in plan.blocks()}
    assert frozen == {
        "embeddings": True,
        "encoder[0]": True,
        "encoder[1]": False,
        "encoder[2]": False,
        "pooler": False,
    }
    weights = HubModel(str(tiny_hub)).weights
    assert plan.frozen_params == sum(weights[name].size for name in plan.frozen_names)
    assert plan.frozen_params + plan.trainable_params == sum(value.size for value in weights.values())


def test_ml_metadata_says_of_plan_and_model_what_was_frozen(project: Project, first: Run, tiny_hub: Path) -> None:
    plan = first.result.plan
    expected = {
        "hub": str(tiny_hub),
        "hub_digest": HubModel(str(tiny_hub)).digest,
        "plan_digest": plan.digest(),
        "frozen_params": plan.frozen_params,
        "trainable_params": plan.trainable_params,
    }
    store = MetadataStore(sqlite_metadata_connection_config(str(project.folder / "run" / "metadata.sqlite")))
    for type_name in ("components.FreezePlan", "Model"):
        oldest = min(store.get_artifacts_by_type(type_name), key=lambda artifact: artifact.id)
        values = oldest.custom_properties
        assert {name: getattr(values[name], values[name].WhichOneof("value")) for name in expected} == expected


def test_the_audit_passes_and_ml_metadata_says_so(project: Project, first: Run) -> None:
    plan, record = first.result.plan, first.result.audit
    assert (record.verdict, record.problems) == ("passed", ())
    assert record.moved_variables > 0
    counts = {
        "plan_digest": plan.digest(),
        "frozen_params": plan.frozen_params,
        "trainable_params": plan.trainable_params,
    }
    assert {name: getattr(record, name) for name in counts} == counts
    store = MetadataStore(sqlite_metadata_connection_config(str(project.folder / "run" / "metadata.sqlite")))
    expected: dict[str, dict[str, Any]] = {
        "Model": counts | {"freeze_audit": "passed"},
        "components.FreezeAudit": counts | {"verdict": "passed", "moved_variables": record.moved_variables},
        "InfraBlessing": {"blessed": 1},
    }
    for type_name, properties in expected.items():
        oldest = min(store.get_artifacts_by_type(type_name), key=lambda artifact: artifact.id)
        values = oldest.custom_properties
        assert {name: getattr(values[name], values[name].WhichOneof("value")) for name in properties} == properties


def test_the_pushed_model_can_be_audited_by_anybody(project: Project, first: Run) -> None:
    """With the plan and the Hub model's handle that it carries."""
    pushed = str(first.result.pushed_model)
    plan = read_plan(pushed)
    assert plan == first.result.plan
    record = audit(pushed, first.result.plan, HubModel(plan.model.hub))
    assert record.variables == first.result.audit.variables
    assert (record.verdict, record.blocks) == ("passed", first.result.audit.blocks)
    model_runs = project.artifacts / "Trainer" / "model_run"
    oldest = min(model_runs.iterdir(), key=lambda folder: int(folder.name))
    trained = TrainingRecord.from_json((oldest / "variables.json").read_text(encoding="utf-8"))
    assert trained.variables == record.variables


def test_frozen_is_frozen_in_the_pushed_model(first: Run, second: Run, tiny_hub: Path) -> None:
    """Bit by bit, in the checkpoint that is served."""
    checkpoint = tf.train.load_checkpoint(str(Path(second.result.pushed_model or "") / "variables" / "variables"))
    served = {
        np.asarray(checkpoint.get_tensor(key)).tobytes()
        for key, dtype in checkpoint.get_variable_to_dtype_map().items()
        if dtype == tf.float32
    }
    weights = HubModel(str(tiny_hub)).weights
    plan = first.result.plan
    # Biases may stay where they are: that of the keys shifts all of a softmax's inputs alike.
    matrices = {name for name in weights if name.endswith(("kernel", "embeddings"))}
    kept = {name for name in matrices if weights[name].tobytes() in served}
    assert kept == matrices & set(plan.frozen_names)
    assert all(weights[name].tobytes() in served for name in plan.frozen_names)


def test_a_listener_hears_of_each_component_in_turn(first: Run) -> None:
    started = [component for event, component in first.heard if event == "started"]
    assert sorted(started) == sorted(ALL_BUT_RESOLVER | {"live_model"})
    assert first.heard == [(event, component) for component in started for event in ("started", "ended")]
    assert [name for name in started if name in ("ExampleGen", "Transform", "Trainer", "Evaluator", "Pusher")] == [
        "ExampleGen", "Transform", "Trainer", "Evaluator", "Pusher"
    ]  # fmt: skip


def test_rows_that_cannot_be_used_are_dropped_with_a_warning(project: Project, first: Run) -> None:
    kept = 200 + len(WEIRD) * len(TOPICS) * 3
    (warning,) = first.warnings
    assert f"data.train: 2 of {kept + 2} rows can't be used: 1 empty text" in warning
    assert "1 no label" in warning
    assert f"{project.folder}/rows.csv:" in warning
    assert warning.endswith("they were dropped")


def test_slices(first: Run) -> None:
    slices = first.result.evaluation.slices
    assert set(slices) == {f"channel={name}" for name in ("chat", "email", "phone", "social", "weird")}
    total = sum(metrics["example_count"] for metrics in slices.values())
    assert total == first.result.evaluation.metrics["example_count"] > 0
    assert not [name for metrics in slices.values() for name in metrics if "/" in name]


def test_a_second_run_only_compares_with_the_live_model(first: Run, second: Run) -> None:
    # What takes the model, FreezeAudit too, runs once more: the verdict was written onto the model since.
    assert second.result.cached == BEFORE_TRAINER - {"DataGate"} | {"Trainer"}
    assert second.result.blessed
    assert second.result.evaluation.live == first.result.evaluation.metrics
    assert second.result.evaluation.metrics == first.result.evaluation.metrics
    assert second.warnings == [], "nothing was read"


def test_what_is_live_already_is_not_pushed_again(first: Run, second: Run) -> None:
    assert second.result.pushed_model == first.result.pushed_model
    assert second.pushed == first.pushed == [Path(str(first.result.pushed_model)).name]


def test_a_third_run_does_nothing(second: Run, third: Run) -> None:
    # Pusher looks each time whether what it pushed is what is served.
    assert third.result.cached == ALL_BUT_RESOLVER - {"Pusher"}
    assert third.result.blessed
    assert third.result.pushed_model == second.result.pushed_model
    assert third.pushed == second.pushed
    assert third.result.evaluation == second.result.evaluation
    assert third.result.plan == second.result.plan
    assert set(third.result.seconds) == ALL_BUT_RESOLVER | {"live_model"}


def test_the_serving_folder_is_filled_again_when_it_was_removed(third: Run, pushed_again: Run) -> None:
    assert pushed_again.result.cached == ALL_BUT_RESOLVER - {"Pusher"}
    assert pushed_again.result.blessed
    assert pushed_again.result.pushed_model is not None
    assert pushed_again.pushed == [Path(pushed_again.result.pushed_model).name]


def test_a_changed_learning_rate_trains_again_and_reads_nothing_again(stricter: Run) -> None:
    assert stricter.result.cached == BEFORE_TRAINER - {"FreezePlanner"}, "a plan takes a second"


def test_a_threshold_that_is_missed_pushes_nothing(pushed_again: Run, stricter: Run) -> None:
    result = stricter.result
    assert not result.blessed
    assert result.pushed_model is None
    assert stricter.pushed == pushed_again.pushed
    assert (
        f"accuracy is {result.evaluation.metrics['accuracy']:.4f}; at least 1 is required" in result.evaluation.missed
    )
    assert result.evaluation.live == pushed_again.result.evaluation.metrics
    assert result.to_json()["pushed_model"] is None


SERVE = """
import json, sys
import tensorflow as tf
import tensorflow_text

model = tf.saved_model.load(sys.argv[1])
texts = [bytes.fromhex(text) for text in json.load(sys.stdin)]


def example(text):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
    return tf.train.Example(features=tf.train.Features(feature={"text": feature})).SerializeToString()


def plain(outputs):
    return {name: value.numpy().astype(str if value.dtype == tf.string else float).tolist()
            for name, value in outputs.items()}


def refusal(examples):
    try:
        return plain(serve(**examples))
    except tf.errors.InvalidArgumentError as error:
        return error.message


predict, serve = model.signatures["predict_text"], model.signatures["serving_default"]
(argument,) = predict.structured_input_signature[1]
(examples,) = serve.structured_input_signature[1]
empty = tf.train.Example().SerializeToString()
print(json.dumps({
    "signatures": sorted(model.signatures),
    "argument": argument,
    "text": plain(predict(**{argument: tf.constant(texts)})),
    "one": [plain(predict(**{argument: tf.constant([text])})) for text in texts],
    "examples": plain(serve(**{examples: tf.constant([example(text) for text in texts])})),
    "without text": refusal({examples: tf.constant([empty])}),
    "classes": plain(model.signatures["classes"]()),
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""
QUESTIONS = [*(text.encode() for text in WEIRD), b"where's my refund", b"", b"  ", b"caf\xe9 \xff\xfe"]


def ask(model: str | None) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-I", "-c", SERVE, str(model)],
        input=json.dumps([text.hex() for text in QUESTIONS]),
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def test_the_pushed_model_needs_nothing_of_ours(served: dict[str, Any]) -> None:
    assert served["signatures"] == ["classes", "predict_text", "serving_default", "transform_features"]
    assert served["argument"] == "text", "it is called like the column"
    ours = {"trainer_module", "components", "pipeline", "tfx", "tensorflow_transform", "tf_keras", "tensorflow_hub"}
    assert not ours & set(served["modules"])


def test_the_pushed_model_answers_any_text(served: dict[str, Any]) -> None:
    assert sorted(served["classes"]["classes"]) == list(TOPICS)
    answers = served["text"]
    probabilities = np.array(answers["probabilities"])
    assert probabilities.shape == (len(QUESTIONS), len(TOPICS))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    best = [served["classes"]["classes"][index] for index in probabilities.argmax(axis=1)]
    assert answers["label"] == best


def test_the_pushed_model_answers_alike_however_it_is_asked(served: dict[str, Any]) -> None:
    probabilities = np.array(served["text"]["probabilities"])
    np.testing.assert_allclose(np.array(served["examples"]["probabilities"]), probabilities, atol=1e-6)
    # Alone in its batch, a text isn't padded.
    alone = np.array([answer["probabilities"][0] for answer in served["one"]])
    np.testing.assert_allclose(alone, probabilities, atol=1e-5)


def test_the_pushed_model_refuses_a_request_without_its_text(served: dict[str, Any]) -> None:
    assert "Feature: text (data type: string) is required but could not be found" in served["without text"]


def command(project: Project, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(COMMAND), "run", "--config", str(project.config_file), *arguments],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_exits_with_3_when_nothing_is_blessed(project: Project, stricter: Run) -> None:
    pushed = project.pushed()
    done = command(project, "--json", *(part for override in STRICTER for part in ("--set", override)))
    assert done.returncode == 3, done.stderr
    # One line: the object. What people read goes to stderr then.
    assert json.loads(done.stdout) | {"seconds": {}} == stricter.result.to_json() | {"seconds": {}}
    assert done.stdout.count("\n") == 1
    assert "not blessed" in done.stderr
    assert "at least 1 is required" in done.stderr
    assert "nothing was pushed" in done.stderr
    assert project.pushed() == pushed
    noise = [word for word in ("WARNING", "absl", "tensorflow/", "Traceback", "oneDNN", "I0000") if word in done.stderr]
    assert not noise, done.stderr
    (log,) = (project.folder / "run" / "logs").glob("*.log")
    assert str(log) in done.stderr.replace("\n", "")
    assert log.stat().st_size > 0, "the noise is kept there"
