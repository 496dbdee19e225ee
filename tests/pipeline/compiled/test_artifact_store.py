"""The record of runs."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.artifact_store import Artifact, ArtifactStore, Run, Step, artifact_title, new_artifact, now
from trainer_module.errors import UserError


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "root", "mine")


def put(store: ArtifactStore, run: Run, task: str, **fields: Any) -> Artifact:
    """An artifact of a new step, made where it says."""
    name = f"mine/{run.run_id}/{task}/model"
    uri = store.run_folder(run) / task
    uri.mkdir()
    content = {"name": name, "title": "tfx.Model", "type": {}, "uri": str(uri), "state": "LIVE"} | fields
    artifact = Artifact.model_validate(content)
    run.steps.append(Step(task=task, state="SUCCEEDED", outputs={"model": [artifact]}))
    store.save(run)
    return artifact


def test_a_record_comes_back_as_it_was_saved(store: ArtifactStore) -> None:
    run = store.new_run({"steps": 3, "rules": [{"freeze": "all"}], "rate": 0.5, "text": "ü"})
    put(store, run, "Trainer", metadata={"frozen": 12.0, "hub": "x"})
    run.steps[0].inputs = {"examples": ["mine/x/ExampleGen/examples"]}
    run.steps[0].ended = run.steps[0].started + timedelta(seconds=2)
    run.state = "SUCCEEDED"
    store.save(run)
    assert store.runs() == [run]
    assert store.runs()[0].step("Trainer").seconds == 2.0


def test_the_record_can_be_read_by_people(store: ArtifactStore) -> None:
    run = store.new_run({"steps": 3})
    content = json.loads((store.run_folder(run) / "run.json").read_text())
    assert list(content)[:3] == ["pipeline", "run_id", "state"]
    assert (content["state"], content["parameters"], content["ended"]) == ("RUNNING", {"steps": 3}, None)


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(store: ArtifactStore) -> None:
    runs = [store.new_run({}) for _ in range(3)]
    assert len({store.run_folder(run) for run in runs}) == 3
    assert [run.run_id for run in store.runs()] == [run.run_id for run in reversed(runs)]


def test_nothing_is_left_of_a_record_that_could_not_be_written(store: ArtifactStore) -> None:
    run = store.new_run({})
    before = (store.run_folder(run) / "run.json").read_bytes()
    run.parameters["bad"] = object()
    with pytest.raises(Exception, match="serialize"):
        store.save(run)
    assert (store.run_folder(run) / "run.json").read_bytes() == before
    assert [path.name for path in store.run_folder(run).iterdir()] == ["run.json"]


def test_live_artifacts_come_latest_first(store: ArtifactStore) -> None:
    first = store.new_run({})
    old = put(store, first, "Trainer")
    second = store.new_run({})
    new = put(store, second, "Trainer")
    newer = put(store, second, "Tuner")
    assert store.live_artifacts() == [newer, new, old]


@pytest.mark.parametrize("state", ["PENDING", "ABANDONED"])
def test_what_a_failed_or_killed_step_left_is_not_live(store: ArtifactStore, state: str) -> None:
    put(store, store.new_run({}), "Trainer", state=state)
    assert store.live_artifacts() == []


def test_what_was_removed_is_not_live(store: ArtifactStore) -> None:
    artifact = put(store, store.new_run({}), "Trainer")
    Path(artifact.uri).rmdir()
    assert store.live_artifacts() == []


def test_what_lies_elsewhere_is_taken_for_granted(store: ArtifactStore) -> None:
    artifact = put(store, store.new_run({}), "Trainer", uri="gs://bucket/model")
    assert store.live_artifacts() == [artifact]


def test_another_pipeline_sees_nothing_of_it(store: ArtifactStore, tmp_path: Path) -> None:
    put(store, store.new_run({}), "Trainer")
    assert ArtifactStore(tmp_path / "root", "other").live_artifacts() == []


def test_an_artifact_that_a_resolver_found_is_listed_once(store: ArtifactStore) -> None:
    artifact = put(store, store.new_run({}), "Trainer")
    second = store.new_run({})
    second.steps.append(Step(task="live", state="SUCCEEDED", outputs={"model": [artifact]}))
    store.save(second)
    assert store.live_artifacts() == [artifact]


@pytest.mark.parametrize("content", ["", "{", '{"pipeline": "mine"}', "[]"])
def test_a_record_that_was_changed_by_hand(store: ArtifactStore, content: str) -> None:
    run = store.new_run({})
    file = store.run_folder(run) / "run.json"
    file.write_text(content)
    with pytest.raises(UserError) as error:
        store.runs()
    assert str(error.value).startswith(f"{file}: is not the record of a run (")
    assert str(error.value).endswith(f"restore it, or remove the run: {file.parent}")


def test_a_run_without_a_record_was_killed_before_it_began(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "root" / "mine" / "20260101-000000").mkdir(parents=True)
    assert store.runs() == []


def test_the_title_of_a_type(make_type: Callable[[str], pb.ArtifactTypeSchema]) -> None:
    assert artifact_title(make_type("components.FreezePlan")) == "components.FreezePlan"
    assert artifact_title(pb.ArtifactTypeSchema(schema_title="system.Model")) == "system.Model"
    assert artifact_title(pb.ArtifactTypeSchema(instance_schema="type: object\n")) == "tfx.Artifact"


def test_a_new_artifact_is_pending(make_type: Callable[[str], pb.ArtifactTypeSchema]) -> None:
    before = now()
    artifact = new_artifact("mine/1/A/x", make_type("tfx.Model"), "/x", {"a": 1})
    assert (artifact.state, artifact.title, artifact.metadata) == ("PENDING", "tfx.Model", {"a": 1})
    assert artifact.type == {"instanceSchema": "title: tfx.Model\ntype: object\n"}
    assert before <= artifact.created <= now()
