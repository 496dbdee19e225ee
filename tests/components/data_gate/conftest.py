"""Real rows as ExampleGen leaves them, and what TFX's and our components make of them."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components import artifacts
from components.data_gate.executor import Executor
from components.data_gate.report import GateReport
from components.data_gate.settings import DataGateSettings
from components.data_profile.executor import Executor as Profiler
from trainer_module.settings import ColumnSettings

Rows = Sequence[tuple[str, str]]
COLUMNS = ColumnSettings(text=["sentence"], label="positive")


@pytest.fixture(scope="session")
def reviews(shared_data: Callable[[str], Path]) -> Rows:
    """SST-2's training rows: a sentence, and `0` or `1`."""
    with open(shared_data("SST-2-sentence") / "train.tsv", encoding="utf-8", newline="") as file:
        return [(row[0], row[1]) for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def artifact(folder: Path, kind: type[Artifact], name: str, **properties: Any) -> Artifact:
    made = kind()
    made.uri = str(folder / name)
    Path(made.uri).mkdir(parents=True, exist_ok=True)
    for key, value in properties.items():
        setattr(made, key, value)
    return made


def write_examples(folder: Path, splits: dict[str, Rows]) -> Artifact:
    examples = artifact(folder, standard_artifacts.Examples, "examples", split_names='["train", "eval"]')
    for split, rows in splits.items():
        file = Path(examples.uri, f"Split-{split}", "data_tfrecord-00000-of-00001.gz")
        file.parent.mkdir()
        with tf.io.TFRecordWriter(str(file), options="GZIP") as writer:
            for text, label in rows:
                example = tf.train.Example()
                example.features.feature["sentence"].bytes_list.value.append(text.encode())
                example.features.feature["positive"].bytes_list.value.append(label.encode())
                writer.write(example.SerializeToString())
    return examples


def validate(folder: Path, splits: dict[str, dict[str, list[list[bytes] | None]]], schema: Any = None) -> Artifact:
    """ExampleValidator's anomalies of columns by split; the schema is that of the training rows unless given."""
    statistics = {}
    for split, columns in splits.items():
        batch = pa.RecordBatch.from_arrays(
            [pa.array(values, pa.large_list(pa.large_binary())) for values in columns.values()], list(columns)
        )
        statistics[split] = generate_statistics_in_memory(batch)
    schema = schema or tfdv.infer_schema(statistics["train"], infer_feature_shape=False)
    anomalies = artifact(folder, standard_artifacts.ExampleAnomalies, "anomalies", split_names='["train", "eval"]')
    for split, of_split in statistics.items():
        file = Path(anomalies.uri, f"Split-{split}", DEFAULT_FILE_NAME)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(tfdv.validate_statistics(of_split, schema).SerializeToString())
    return anomalies


@dataclass
class Window:
    """Rows as a run reads them, profiled; a model that was trained on them is in `model`."""

    folder: Path
    profile: Artifact
    anomalies: Artifact

    def with_anomalies(self, columns: dict[str, dict[str, list[list[bytes] | None]]], schema: Any = None) -> "Window":
        return replace(self, anomalies=validate(self.folder, columns, schema))

    @property
    def model(self) -> Artifact:
        """A model folder with the profile where the Trainer puts it."""
        model = artifact(self.folder, standard_artifacts.Model, "model")
        file = Path(model.uri, "Format-Serving", "assets.extra", "data_profile.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(Path(self.profile.uri, "data_profile.json").read_bytes())
        return model

    def gate(
        self, live: Artifact | None = None, inferred_of: ColumnSettings | None = COLUMNS, **settings: Any
    ) -> GateReport:
        """Runs DataGate."""
        report = artifact(self.folder, artifacts.DataGateReport, "report")
        inputs = {"anomalies": [self.anomalies], "data_profile": [self.profile], "model": [live] if live else []}
        properties = {"checks": DataGateSettings.model_validate(settings).model_dump_json()}
        if inferred_of:
            properties["schema_inferred_of"] = inferred_of.model_dump_json()
        Executor().Do(inputs, {"report": [report]}, properties)
        read = GateReport.read(report.uri)
        assert report.get_int_custom_property("warnings") == len(read.warnings)
        assert report.get_int_custom_property("notes") == len(read.notes)
        return read


MakeWindow = Callable[..., Window]


@pytest.fixture(scope="session")
def make_window(tmp_path_factory: pytest.TempPathFactory, hub_model: Callable[[str], Path]) -> MakeWindow:
    """`make_window(train_rows, eval_rows, hub="bert_L-4_H-32")`: what DataGate would be given of them."""

    def make(train: Rows, evaluation: Rows, hub: str = "bert_L-4_H-32", **bert: Any) -> Window:
        folder = tmp_path_factory.mktemp("window")
        splits = {"train": train, "eval": evaluation}
        profile = artifact(folder, artifacts.DataProfile, "profile")
        settings = COLUMNS.model_dump() | {"hub": str(hub_model(hub))} | bert
        Profiler().Do(
            {"examples": [write_examples(folder, splits)]},
            {"data_profile": [profile]},
            {"custom_config": json.dumps({"bert": settings})},
        )
        return Window(folder, profile, validate(folder, {split: as_columns(rows) for split, rows in splits.items()}))

    return make


@pytest.fixture(scope="session")
def balanced(reviews: Rows, make_window: MakeWindow) -> Window:
    """900 rows to train on and 500 to evaluate on, both half positive."""
    return make_window(reviews[:900], reviews[900:1400])


def as_columns(rows: Iterable[tuple[str, str]]) -> dict[str, list[list[bytes] | None]]:
    rows = list(rows)
    return {"sentence": [[text.encode()] for text, _ in rows], "positive": [[label.encode()] for _, label in rows]}
