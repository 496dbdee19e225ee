from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata

from chaos.aftermath import problems_of_files, problems_of_metadata, problems_of_serving, pushed_version
from chaos.project import Project
from components.atomic_pusher.push import push


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, hub=tmp_path / "hub")
    project.state.mkdir()
    return project


@pytest.fixture
def version(project: Project, tmp_path: Path) -> Path:
    """A version that was pushed."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_text("a model")
    return Path(push(str(model), str(project.serving), model_uri="here", model_id=1, keep_versions=None).path)


def put_blessing(project: Project, state: "mlmd.Execution.State.ValueType", uri: str) -> None:
    """A blessing that counts, and the execution that made it."""
    store = MetadataStore(metadata.sqlite_metadata_connection_config(str(project.metadata)))
    kind = store.put_artifact_type(mlmd.ArtifactType(name="ModelBlessing"))
    artifact = mlmd.Artifact(type_id=kind, uri=uri, state=mlmd.Artifact.LIVE)
    artifact.custom_properties["blessed"].int_value = 1
    [artifact_id] = store.put_artifacts([artifact])
    kind = store.put_execution_type(mlmd.ExecutionType(name="Evaluator"))
    [execution_id] = store.put_executions([mlmd.Execution(type_id=kind, last_known_state=state)])
    store.put_events([mlmd.Event(artifact_id=artifact_id, execution_id=execution_id, type=mlmd.Event.OUTPUT)])


def test_a_version_is_whole_while_its_files_are_those_that_were_pushed(project: Project, version: Path):
    assert list(problems_of_serving(project, pushes=1)) == []
    (version / "saved_model.pb").write_text("half")
    assert list(problems_of_serving(project, pushes=1)) == [f"version {version.name} isn't what was pushed"]


def test_a_version_without_its_note_is_told(project: Project, version: Path):
    (version / "assets.extra" / "pushed_from.json").unlink()
    assert list(problems_of_serving(project, pushes=1)) == [f"version {version.name} doesn't say of which model it is"]


@pytest.mark.parametrize("pushes", [0, 2])
def test_versions_are_counted(project: Project, version: Path, pushes: int):
    assert list(problems_of_serving(project, pushes)) == [f"the serving folder has 1 versions after {pushes} pushes"]


def test_a_blessing_counts_when_its_evaluator_came_to_its_end(project: Project):
    put_blessing(project, mlmd.Execution.COMPLETE, "somewhere")
    assert list(problems_of_metadata(project, at_rest=True)) == []


def test_a_blessing_of_a_killed_evaluator_must_not_count(project: Project):
    put_blessing(project, mlmd.Execution.FAILED, "somewhere")
    assert list(problems_of_metadata(project, at_rest=True)) == [
        "ModelBlessing 1 counts, but what made it never came to its end"
    ]


def test_what_seems_to_be_running_is_told_only_at_rest(project: Project):
    put_blessing(project, mlmd.Execution.RUNNING, "somewhere")
    assert "1 executions seem to be running" in list(problems_of_metadata(project, at_rest=True))
    assert "1 executions seem to be running" not in list(problems_of_metadata(project, at_rest=False))


def test_folders_that_metadata_does_not_know_are_told(project: Project):
    known = project.state / "artifacts" / "Evaluator" / "blessing" / "3"
    unknown = project.state / "artifacts" / "Trainer" / "model" / "4"
    for folder in (known, unknown):
        folder.mkdir(parents=True)
    put_blessing(project, mlmd.Execution.COMPLETE, str(known))
    assert list(problems_of_files(project)) == ["Trainer/model/4 belongs to nothing in ML Metadata"]


def test_an_unfinished_push_is_told(project: Project):
    put_blessing(project, mlmd.Execution.COMPLETE, "somewhere")
    (project.serving / ".permafrost-pushing-7").mkdir(parents=True)
    assert list(problems_of_files(project)) == [".permafrost-pushing-7 was left in the serving folder"]


def test_the_pushed_version_is_read_from_a_runs_json():
    assert pushed_version({"pushed_model": "/serving/1764331200"}) == 1764331200
    assert pushed_version({"pushed_model": None}) == 0
    assert pushed_version({}) == 0
