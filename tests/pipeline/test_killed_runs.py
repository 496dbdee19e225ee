"""What a killed run left, in a store and folders made as TFX makes them."""

import shutil
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata

from pipeline.killed_runs import clear_killed_runs
from pipeline.run_record import outcome_of, record_outcome, summary_of


class Killed:
    """A pipeline's metadata and artifacts.

    Args:
        folder: For both.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "artifacts"
        self.store = MetadataStore(metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite")))
        self._execution_type = self.store.put_execution_type(mlmd.ExecutionType(name="component"))
        self._artifact_type = self.store.put_artifact_type(mlmd.ArtifactType(name="Model"))
        self._contexts = {
            name: self.store.put_context_type(mlmd.ContextType(name=name))
            for name in ("pipeline", "pipeline_run", "node")
        }

    def execute(
        self, component: str, state: "mlmd.Execution.State", pipeline: str = "mine", run: str = "monday"
    ) -> int:
        names = {"pipeline": pipeline, "pipeline_run": run, "node": f"{pipeline}.{component}"}
        contexts = [mlmd.Context(type_id=self._contexts[kind], name=name) for kind, name in names.items()]
        execution = mlmd.Execution(type_id=self._execution_type, last_known_state=state)
        artifact = mlmd.Artifact(type_id=self._artifact_type, uri="somewhere", state=mlmd.Artifact.PENDING)
        pair = (artifact, mlmd.Event(type=mlmd.Event.PENDING_OUTPUT))
        number, _, _ = self.store.put_execution(execution, [pair], contexts, reuse_context_if_already_exist=True)
        for name in (f"model/{number}", f".system/executor_execution/{number}/.temp",
                     f".system/stateful_working_dir/uuid-{component}-{run}"):  # fmt: skip
            folder = self.root / component / name
            folder.mkdir(parents=True)
            (folder / "file").write_text("half")
        if state == mlmd.Execution.COMPLETE:
            shutil.rmtree(self.root / component / ".system" / "stateful_working_dir")
        return int(number)

    def state(self, execution: int) -> str:
        (found,) = self.store.get_executions_by_id([execution])
        return str(mlmd.Execution.State.Name(found.last_known_state))

    def artifact_state(self, execution: int) -> str:
        (event,) = self.store.get_events_by_execution_ids([execution])
        (artifact,) = self.store.get_artifacts_by_id([event.artifact_id])
        return str(mlmd.Artifact.State.Name(artifact.state))

    def files(self, component: str) -> list[str]:
        return sorted(str(path.relative_to(self.root / component)) for path in self.root.glob(f"{component}/**/file"))

    def run(self, name: str) -> mlmd.Context:
        run = self.store.get_context_by_type_and_name("pipeline_run", name)
        assert run is not None
        return run


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    return Killed(tmp_path)


def test_what_ran_is_failed_and_its_folders_are_gone(killed: Killed, caplog: pytest.LogCaptureFixture) -> None:
    execution = killed.execute("Trainer", mlmd.Execution.RUNNING)
    clear_killed_runs(killed.store, "mine", str(killed.root))
    assert killed.state(execution) == "FAILED"
    assert killed.artifact_state(execution) == "ABANDONED"
    assert killed.files("Trainer") == []
    assert caplog.messages == ["Trainer of run monday was killed; clearing away what it left"]
    run = killed.run("monday")
    assert outcome_of(run) == "failed"
    assert summary_of(run) == {
        "error": "the run was killed while Trainer ran", "component": "Trainer", "killed": True
    }  # fmt: skip


def test_what_came_to_its_end_stays(killed: Killed) -> None:
    done = killed.execute("Trainer", mlmd.Execution.COMPLETE)
    killed.execute("Trainer", mlmd.Execution.RUNNING, run="tuesday")
    clear_killed_runs(killed.store, "mine", str(killed.root))
    assert killed.state(done) == "COMPLETE"
    assert killed.files("Trainer") == [
        f".system/executor_execution/{done}/.temp/file",
        f"model/{done}/file",
    ]
    assert outcome_of(killed.run("monday")) is None


def test_another_pipeline_in_the_same_database_may_be_running(killed: Killed) -> None:
    killed.execute("Trainer", mlmd.Execution.COMPLETE)
    theirs = killed.execute("Trainer", mlmd.Execution.RUNNING, pipeline="theirs", run="their monday")
    clear_killed_runs(killed.store, "mine", str(killed.root))
    assert killed.state(theirs) == "RUNNING"
    assert f"model/{theirs}/file" in killed.files("Trainer")


def test_an_outcome_that_was_written_down_stays(killed: Killed) -> None:
    killed.execute("Trainer", mlmd.Execution.RUNNING)
    record_outcome(killed.store, "monday", "stopped", {"error": "no"})
    clear_killed_runs(killed.store, "mine", str(killed.root))
    assert (outcome_of(killed.run("monday")), summary_of(killed.run("monday"))) == ("stopped", {"error": "no"})


def test_there_is_nothing_to_clear_before_the_first_run(killed: Killed) -> None:
    clear_killed_runs(killed.store, "mine", str(killed.root))
    assert not killed.root.exists()


def test_a_run_that_never_started_leaves_no_record(killed: Killed) -> None:
    record_outcome(killed.store, "", "stopped", {"error": "no"})
    record_outcome(killed.store, "unknown", "stopped", {"error": "no"})
    assert killed.store.get_contexts() == []
