"""One run of one system in a fresh process, and what it took."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from statistics import median
from typing import Literal

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from pydantic import BaseModel, ConfigDict

from benchmarks.pipeline_cost.work import EVAL_SHARE, ROOT, Row, write_encoder, write_rows

System = Literal["tfx", "permafrost"]

BATCH = 16
"""Rows in a batch; the TFX example's."""

_MAX_TOKENS = 256
"""The TFX example pads to it, we cut at it."""

_CONFIG = """
[pipeline]
name = "permafrost"
root = "."
[data]
train = "data/train/rows.csv"
eval = "data/validation/rows.csv"
text = ["sentence"]
label = "label"
[model]
hub = "encoder"
max_tokens = {max_tokens}
[train]
steps = {steps}
batch_size = {batch}
learning_rate = 5e-5
[evaluate]
must_beat_baseline = false
[evaluate.thresholds.accuracy]
at_least = 0.1
[push]
directory = "serving"
"""


class PipelineRun(BaseModel):
    """What one run took.

    Attributes:
        system: TFX's own BERT example, or ours.
        rows: Of both splits; `EVAL_SHARE` of them are for evaluation.
        steps: Batches of training.
        seconds: From the start of the process to its end.
        seconds_before: From the start of the process to the start of the first component: imports, mostly.
        component_seconds: By component.
    """

    model_config = ConfigDict(frozen=True)

    system: System
    rows: int
    steps: int
    seconds: float
    seconds_before: float
    component_seconds: dict[str, float]


def measure(system: System, rows: Sequence[Row], steps: int, folder: Path) -> PipelineRun:
    """Runs the whole pipeline once, with its training cut at `steps` batches.

    Args:
        folder: An empty one, for all that is read and made.

    Raises:
        RuntimeError: The run failed; names its log.
    """
    write_rows(rows, folder / "data")
    write_encoder(folder / "encoder")
    config = folder / "config.toml"
    config.write_text(_CONFIG.format(max_tokens=_MAX_TOKENS, steps=steps, batch=BATCH), encoding="utf-8")
    eval_steps = ceil(len(rows) * EVAL_SHARE / BATCH)
    commands = {
        "tfx": ["-m", "benchmarks.pipeline_cost.run_tfx_example", str(folder), str(steps), str(eval_steps)],
        "permafrost": ["-c", "from pipeline.cli import main; main()", "run", "--config", str(config)],
    }
    log = folder / "log.txt"
    # The path, because the child runs in the repository but may be asked to from anywhere.
    environment = os.environ | {"TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)}
    with open(log, "wb") as output:
        began, start = time.time(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, *commands[system]], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{system}: the run failed; see {log}")
    first, component_seconds = _component_seconds(folder / "metadata.sqlite")
    return PipelineRun(
        system=system,
        rows=len(rows),
        steps=steps,
        seconds=seconds,
        seconds_before=first - began,
        component_seconds=component_seconds,
    )


def median_of(runs: Sequence[PipelineRun]) -> PipelineRun:
    """What repeated runs of the same took: the median of each of their seconds."""
    first, *_ = runs
    return first.model_copy(
        update={
            "seconds": median(run.seconds for run in runs),
            "seconds_before": median(run.seconds_before for run in runs),
            "component_seconds": {
                name: median(run.component_seconds[name] for run in runs) for name in first.component_seconds
            },
        }
    )


def _component_seconds(metadata: Path) -> tuple[float, dict[str, float]]:
    """When the first component started (seconds since 1970), and how long each took."""
    connection = mlmd.ConnectionConfig()
    connection.sqlite.filename_uri = str(metadata)
    connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    store = MetadataStore(connection)
    nodes = {each.id: each.name.rpartition(".")[2] for each in store.get_contexts_by_type("node")}
    starts: list[float] = []
    seconds: dict[str, float] = {}
    for context, name in nodes.items():
        for execution in store.get_executions_by_context(context):
            start, end = execution.create_time_since_epoch / 1000, execution.last_update_time_since_epoch / 1000
            starts.append(start)
            # The example calls its own by the class, the others by what they do.
            seconds[name.removeprefix("Csv")] = end - start
    return min(starts), seconds
