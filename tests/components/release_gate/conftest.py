"""Exported models with the artifacts around them, as ExampleGen, Transform and Trainer leave them."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components import artifacts
from components.release_gate.executor import Executor
from components.release_gate.report import ReleaseReport
from tests.support.probes import probe_once  # noqa: F401  fixture
from tests.trainer_module.conftest import (  # noqa: F401  fixtures
    REVIEWS,
    Transformed,
    reviews,
    scored_pairs,
    tiny_encoder,
    tiny_model,
)
from trainer_module.export import ServingModel, export
from trainer_module.features import LABEL_VOCABULARY
from trainer_module.predictions import PREDICTIONS_FILE, predict
from trainer_module.training.classifier import BertClassifier


@dataclass
class Gated:
    """One execution of ReleaseGate in a folder.

    Attributes:
        folder: With `model`, `model_run`, `examples` and `transform_graph`.
        bert: The settings.
        outputs: Of the execution.
    """

    folder: Path
    bert: dict[str, Any]
    outputs: dict[str, list[Artifact]] = field(default_factory=dict)

    @property
    def model_dir(self) -> Path:
        return self.folder / "model" / "Format-Serving"

    @property
    def predictions_file(self) -> Path:
        return self.folder / "model_run" / PREDICTIONS_FILE

    def artifact(self, kind: type[Artifact], name: str) -> Artifact:
        made = kind()
        made.uri = str(self.folder / name)
        Path(made.uri).mkdir(exist_ok=True)
        return made

    def copy_to(self, folder: Path) -> "Gated":
        return replace(self, folder=Path(shutil.copytree(self.folder, folder)), outputs={})

    def replace_weights(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Writes other values into the exported model's checkpoint."""
        prefix = str(self.model_dir / "variables" / "variables")
        checkpoint = tf.train.load_checkpoint(prefix)
        values = {name: checkpoint.get_tensor(name) for name in checkpoint.get_variable_to_shape_map()}
        weights = {name: value for name, value in values.items() if getattr(value, "dtype", None) == np.float32}
        assert weights
        values |= {name: change(value) for name, value in weights.items()}
        tf.raw_ops.SaveV2(
            prefix=prefix, tensor_names=list(values), shape_and_slices=[""] * len(values), tensors=list(values.values())
        )

    def run(self, audited: str | None = None, **limits: float) -> ReleaseReport:
        """Runs the executor; `audited`: why FreezeAudit withholds its blessing, empty where it gives it."""
        examples = self.artifact(standard_artifacts.Examples, "examples")
        examples.split_names = '["train", "eval"]'
        inputs = {
            "model": [self.artifact(standard_artifacts.Model, "model")],
            "model_run": [self.artifact(standard_artifacts.ModelRun, "model_run")],
            "examples": [examples],
            "transform_graph": [self.artifact(standard_artifacts.TransformGraph, "transform_graph")],
        }
        if audited is not None:
            audit = self.artifact(standard_artifacts.InfraBlessing, "audit")
            audit.set_int_custom_property("blessed", int(not audited))
            audit.set_string_custom_property("reason", audited)
            inputs["audit_blessing"] = [audit]
        shutil.rmtree(self.folder / "blessing", ignore_errors=True)
        self.outputs = {
            "blessing": [self.artifact(standard_artifacts.InfraBlessing, "blessing")],
            "report": [self.artifact(artifacts.ReleaseReport, "report")],
        }
        properties = {"custom_config": json.dumps({"bert": self.bert}), "limits": json.dumps(limits)}
        Executor().Do(inputs, self.outputs, properties)
        return ReleaseReport.model_validate_json((self.folder / "report" / "report.json").read_bytes())

    @property
    def blessed(self) -> bool:
        (blessing,) = self.outputs["blessing"]
        blessed = bool(blessing.get_int_custom_property("blessed"))
        file = "INFRA_BLESSED" if blessed else "INFRA_NOT_BLESSED"
        assert [path.name for path in (self.folder / "blessing").iterdir()] == [file]
        return blessed


def example(row: Mapping[str, str | float]) -> bytes:
    made = tf.train.Example()
    for column, value in row.items():
        if isinstance(value, str):
            made.features.feature[column].bytes_list.value.append(value.encode())
        else:
            made.features.feature[column].float_list.value.append(value)
    return bytes(made.SerializeToString())


def release(
    folder: Path, transformed: Transformed, raw: Sequence[Mapping[str, str | float]], planned: Any, labels: list[bytes]
) -> Gated:
    """What a Trainer that learnt nothing would leave."""
    classifier = BertClassifier(planned.encoder, outputs=max(len(labels), 1), pooling="pooled", dropout=0.1, seed=0)
    predictions = predict(classifier, transformed.tokens, labels)
    gated = Gated(folder, transformed.settings.to_custom_config()["bert"])
    model = ServingModel(classifier, transformed.output, transformed.settings, labels)
    export(model, str(gated.model_dir), planned.plan)
    (folder / "model_run").mkdir()
    gated.predictions_file.write_text(predictions.model_dump_json(), encoding="utf-8")
    shutil.copytree(Path(transformed.output.transform_savedmodel_dir).parent, folder / "transform_graph")
    (folder / "examples" / "Split-eval").mkdir(parents=True)
    # In another order than Transform's.
    with tf.io.TFRecordWriter(str(folder / "examples" / "Split-eval" / "rows.gz"), "GZIP") as writer:
        for row in reversed(raw):
            writer.write(example(row))
    return gated


@pytest.fixture(scope="session")
def released_once(
    tiny_encoder: Callable[..., Any],  # noqa: F811
    reviews: Transformed,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Gated:
    raw = [{"sentence": text, "label": label} for text, label in REVIEWS]
    labels = reviews.output.vocabulary_by_name(LABEL_VOCABULARY)
    return release(tmp_path_factory.mktemp("released"), reviews, raw, tiny_encoder(), labels)


@pytest.fixture
def sound(released_once: Gated, tmp_path: Path) -> Gated:
    """A classifier of two classes."""
    return released_once.copy_to(tmp_path / "sound")


@pytest.fixture
def regression(
    tiny_encoder: Callable[..., Any],  # noqa: F811
    scored_pairs: Transformed,  # noqa: F811
    tmp_path: Path,
) -> Gated:
    """Of two columns, one number."""
    raw: list[dict[str, str | float]] = [
        {"#1 String": "good film", "#2 String": "bad", "score": 0.5},
        {"#1 String": "a a a a a a a a", "#2 String": "the story is not good", "score": -2.0},
    ]
    return release(tmp_path, scored_pairs, raw, tiny_encoder(), [])
