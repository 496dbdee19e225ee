"""`permafrost compile` and TFX's own command line: the same job, and what is said of it."""

import io
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tfx.tools.cli.handler.kubeflow_v2_dag_runner_patcher import KubeflowV2DagRunnerPatcher

from pipeline.cli.compile import print_spec
from pipeline.config_file import load_config
from pipeline.runners.job_file import write_job
from pipeline.runners.vertex import compile_job

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / "configs" / "vertex.toml"


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    return compile_job(load_config(CONFIG))


def test_the_summary(job: dict[str, Any]):
    console = Console(file=io.StringIO(), width=120)
    print_spec(console, job["pipelineSpec"])
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    assert ["Trainer", "8 CPUs, 30 GB, 1 NVIDIA_TESLA_T4"] in rows
    assert ["Transform", "8 CPUs, 32 GB"] in rows
    assert ["Pusher", "what the service gives"] in rows
    assert ["live_model-model-resolver", "no container: the service looks it up"] in rows
    assert ["data_root", "gs://my-bucket/tickets/"] in rows
    assert ["freeze", '[{"freeze": "embeddings"}, {"freeze": "encoder[:3]"}]'] in rows
    assert ["train_steps", "0"] in rows
    image = "europe-west4-docker.pkg.dev/my-project/permafrost/permafrost:0.1.0"
    assert text.splitlines()[-1] == f"image: {image}"


def test_the_file_is_the_job_whole_and_readable(job: dict[str, Any], tmp_path: Path):
    path = tmp_path / "new" / "pipeline.json"
    write_job(job, path)
    assert json.loads(path.read_text()) == job
    assert path.read_text().startswith('{\n  "displayName": "vertex",\n  "labels": {')


def test_tfxs_command_line_finds_the_pipeline(job: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PERMAFROST_CONFIG", str(CONFIG))
    # What `tfx pipeline create --engine=vertex` does with the script that it is given.
    patcher = KubeflowV2DagRunnerPatcher(call_real_run=True, prepare_dir_fn=lambda name: str(tmp_path / name))
    with patcher.patch() as context:
        runpy.run_path(str(REPOSITORY / "kubeflow" / "vertex_runner.py"), run_name="__main__")
    assert patcher.run_called
    assert context[patcher.PIPELINE_NAME] == "vertex"
    assert json.loads(Path(context[patcher.OUTPUT_FILE_PATH]).read_text()) == job
