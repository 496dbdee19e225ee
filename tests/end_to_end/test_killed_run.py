"""A run that is killed midway: the next one clears up after it, and ends well."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.run_lock import is_held
from pipeline.run_record import outcome_of, summary_of
from tests.support.project import Project
from trainer_module.errors import UserError

pytestmark = pytest.mark.slow
COMPONENT = "Transform"


def kill_while_it_runs(project: Project) -> None:
    """Starts `permafrost run`, and kills it with SIGKILL while a component writes."""
    arguments = ["-c", "from pipeline.cli.app import main; main()", "run", "--config", str(project.config_file)]
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, start_new_session=True)
    last = time.monotonic() + 300
    while not list(project.artifacts.glob(f"{COMPONENT}/transform_graph/*")):
        assert process.poll() is None and time.monotonic() < last
        time.sleep(0.05)
    assert is_held(str(project.folder / "run"))
    with pytest.raises(UserError, match=f"a run .process {process.pid} on "):
        project.run()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_the_next_run_clears_up_and_ends_well(make_small_project: Callable[..., Project]) -> None:
    project = make_small_project(freeze='[{ freeze = "all" }]')
    kill_while_it_runs(project)
    (half,) = project.artifacts.glob(f"{COMPONENT}/transform_graph/*")

    result = project.run()

    assert result.outcome == "pushed"
    assert not half.exists()
    store = MetadataStore(sqlite_metadata_connection_config(str(project.folder / "run" / "metadata.sqlite")))
    states = {execution.last_known_state for execution in store.get_executions()}
    assert states == {mlmd.Execution.COMPLETE, mlmd.Execution.CACHED, mlmd.Execution.FAILED}
    killed, ended = sorted(store.get_contexts_by_type("pipeline_run"), key=lambda run: run.id)
    assert (outcome_of(killed), outcome_of(ended)) == ("failed", "pushed")
    assert summary_of(killed)["error"] == f"the run was killed while {COMPONENT} ran"
    assert summary_of(ended) == result.to_json()
    assert len(project.pushed()) == 1
    for artifact in store.get_artifacts():
        assert artifact.state == mlmd.Artifact.LIVE
        assert Path(artifact.uri).exists()
    left = [path for path in project.artifacts.glob("*/.system/*/*") if "stateful" in str(path)]
    assert left == []
    assert project.run().outcome == "unchanged"
