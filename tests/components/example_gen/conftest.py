"""Runs ExampleGen on small files and reads back what it wrote."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.orchestration import data_types
from tfx.types import standard_artifacts

from components.example_gen.component import make_example_gen
from components.example_gen.row_format import RowFormat
from components.example_gen.rows_report import FILE_NAME, RowsReport
from components.example_gen.span_driver import SpanDriver

_REAL_DATA = Path(__file__).parents[4] / "shared" / "data"


@dataclass
class Outcome:
    """What one run wrote."""

    artifact: standard_artifacts.Examples

    @property
    def report(self) -> RowsReport:
        return RowsReport.read(f"{self.artifact.uri}/{FILE_NAME}")

    def serialized(self, split: str) -> list[bytes]:
        files = [str(path) for path in sorted(Path(self.artifact.uri, f"Split-{split}").glob("*.gz"))]
        return list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())

    def rows(self, split: str) -> list[dict[str, Any]]:
        return [_values(tf.train.Example.FromString(record)) for record in self.serialized(split)]


def _values(example: tf.train.Example) -> dict[str, Any]:
    features = example.features.feature
    return {
        name: next(iter(getattr(features[name], features[name].WhichOneof("kind")).value)) for name in sorted(features)
    }


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Calls driver and executor as TFX does: `run(train, eval, eval_fraction=…, text=…, label=…, …)`."""
    runs = iter(range(1000))

    def run_executor(
        train: Path,
        eval: Path | None = None,
        eval_fraction: float = 0.5,
        beam_pipeline_args: list[str] | None = None,
        window: int = 1,
        **rows: Any,
    ) -> Outcome:
        given = {"text": ["text"], "label": "label"} | rows
        component = make_example_gen(
            str(train), str(eval) if eval else None, eval_fraction, rows=RowFormat.from_dict(given), window=window
        )
        properties = dict(component.exec_properties)
        if "span" in properties:
            nowhere = data_types.PipelineInfo("", "")
            driver = SpanDriver(metadata_handle=None)
            properties = driver.resolve_exec_properties(properties, nowhere, data_types.ComponentInfo("", "", nowhere))
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path / f"examples-{next(runs)}")
        context = BaseBeamExecutor.Context(beam_pipeline_args=beam_pipeline_args) if beam_pipeline_args else None
        executor = component.executor_spec.executor_class(context)
        executor.Do({}, {"examples": [artifact]}, properties)
        return Outcome(artifact)

    return run_executor


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file as it is: `write("train.csv", "text,label\\n…")`."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def real_data() -> Path:
    """The folder of real corpora that lies beside the repository on the machines that have it."""
    if not _REAL_DATA.is_dir():
        pytest.skip(f"no real data at {_REAL_DATA}")
    return _REAL_DATA
