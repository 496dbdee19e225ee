"""What is read out of ML Metadata, in a store made by hand."""

from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata

from pipeline.run_metadata import RunMetadata, forget_lost_artifacts, int_property, string_property


class Store:
    """A pipeline's metadata as TFX writes it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.store = MetadataStore(metadata.sqlite_metadata_connection_config(self.path))
        self._types = {
            name: self.store.put_artifact_type(mlmd.ArtifactType(name=name)) for name in ("Model", "PushedModel")
        }
        self._execution_type = self.store.put_execution_type(mlmd.ExecutionType(name="component"))
        self._context_types = {
            name: self.store.put_context_type(mlmd.ContextType(name=name))
            for name in ("pipeline", "pipeline_run", "node")
        }

    def put(
        self,
        run: str,
        component: str,
        *artifacts: mlmd.Artifact,
        state: "mlmd.Execution.State" = mlmd.Execution.COMPLETE,
        event: "mlmd.Event.Type" = mlmd.Event.OUTPUT,
        pipeline: str = "mine",
    ) -> list[int]:
        """Records an execution with its outputs; gives the artifacts' ids."""
        names = {"pipeline": pipeline, "pipeline_run": run, "node": f"{pipeline}.{component}"}
        contexts = [self._context(kind, name) for kind, name in names.items()]
        execution = mlmd.Execution(type_id=self._execution_type, last_known_state=state)
        pairs = [(artifact, mlmd.Event(type=event)) for artifact in artifacts]
        _, ids, _ = self.store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)
        return list(ids)

    def artifact(self, kind: str, uri: str = "", **properties: str) -> mlmd.Artifact:
        artifact = mlmd.Artifact(type_id=self._types[kind], uri=uri)
        for name, value in properties.items():
            artifact.custom_properties[name].string_value = value
        return artifact

    def run(self, run: str) -> RunMetadata:
        return RunMetadata(self.store, "mine", run)

    def _context(self, kind: str, name: str) -> mlmd.Context:
        return mlmd.Context(type_id=self._context_types[kind], name=name)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "metadata.sqlite")


def test_cached_components(store: Store) -> None:
    store.put("monday", "Trainer")
    store.put("monday", "Pusher", state=mlmd.Execution.FAILED)
    store.put("tuesday", "Trainer", state=mlmd.Execution.CACHED)
    assert not store.run("monday").is_cached("Trainer")
    assert not store.run("monday").is_cached("Pusher")
    assert store.run("tuesday").is_cached("Trainer")
    assert not store.run("tuesday").is_cached("Pusher"), "it didn't run then"
    assert not store.run("tuesday").is_cached("Nobody")


def test_output_is_the_newest_of_its_type_and_run(store: Store) -> None:
    store.put("monday", "Trainer", store.artifact("Model", "a"), store.artifact("PushedModel", "b"))
    store.put("monday", "Trainer", store.artifact("Model", "c"), store.artifact("Model", "d"))
    store.put("tuesday", "Trainer", store.artifact("Model", "e"))
    store.put("monday", "Evaluator", store.artifact("Model", "f"))
    monday = store.run("monday")
    found = monday.output("Trainer", "Model")
    assert found is not None and found.uri == "d"
    assert monday.output("Trainer", "ModelRun") is None
    assert monday.output("Pusher", "PushedModel") is None
    assert store.run("wednesday").output("Trainer", "Model") is None


def test_inputs_are_no_outputs(store: Store) -> None:
    store.put("monday", "Evaluator", store.artifact("Model", "a"), event=mlmd.Event.INPUT)
    assert store.run("monday").output("Evaluator", "Model") is None


@pytest.mark.parametrize(
    ("uri", "pushed_to", "state"),
    [
        ("kept", "", mlmd.Artifact.LIVE),
        ("lost", "", mlmd.Artifact.DELETED),
        ("kept", "kept", mlmd.Artifact.LIVE),
        ("kept", "lost", mlmd.Artifact.LIVE),
        ("gs://bucket/model", "gs://bucket/serving/1", mlmd.Artifact.LIVE),
    ],
)
def test_what_was_removed_is_forgotten(
    store: Store, tmp_path: Path, uri: str, pushed_to: str, state: "mlmd.Artifact.State"
) -> None:
    (tmp_path / "kept").mkdir()
    uri, pushed_to = (str(tmp_path / path) if path and "://" not in path else path for path in (uri, pushed_to))
    artifact = store.artifact("PushedModel", uri)
    artifact.state = mlmd.Artifact.LIVE
    if pushed_to:
        artifact.custom_properties["pushed_destination"].string_value = pushed_to
    store.put("monday", "Pusher", artifact)
    forget_lost_artifacts(store.store, "mine")
    assert [(each.uri, each.state) for each in store.store.get_artifacts()] == [(uri, state)]


def test_there_is_nothing_to_forget_before_the_first_run(store: Store) -> None:
    forget_lost_artifacts(store.store, "mine")
    assert store.store.get_artifacts() == []


def test_what_another_pipeline_has_on_another_machine_is_not_forgotten(store: Store) -> None:
    artifact = store.artifact("Model", "/on/another/machine")
    artifact.state = mlmd.Artifact.LIVE
    store.put("monday", "Trainer", artifact, pipeline="theirs")
    forget_lost_artifacts(store.store, "mine")
    assert [each.state for each in store.store.get_artifacts()] == [mlmd.Artifact.LIVE]


def test_properties(store: Store) -> None:
    artifact = store.artifact("Model", text="a")
    artifact.custom_properties["number"].int_value = 7
    assert (string_property(artifact, "text"), int_property(artifact, "number")) == ("a", 7)
    assert (string_property(artifact, "none"), int_property(artifact, "none")) == ("", 0)
    assert "none" not in artifact.custom_properties, "reading adds nothing"


def test_an_audits_verdict_is_written_onto_the_model_of_the_run(store: Store) -> None:
    store.put("monday", "Trainer", store.artifact("Model", "a", hub="bert"))
    store.put("tuesday", "Trainer", store.artifact("Model", "b", hub="bert"))
    store.run("tuesday").record_audit("failed")
    store.run("monday").record_audit("passed")
    models = {model.uri: model for model in store.store.get_artifacts()}
    assert {uri: string_property(model, "freeze_audit") for uri, model in models.items()} == {
        "a": "passed",
        "b": "failed",
    }
    assert [string_property(model, "hub") for model in models.values()] == ["bert", "bert"], "the rest is as it was"


def test_the_same_verdict_again_leaves_the_model_alone_so_that_the_cache_works(store: Store) -> None:
    store.put("monday", "Trainer", store.artifact("Model", "a"))
    store.run("monday").record_audit("passed")
    before = store.store.get_artifacts()
    store.run("monday").record_audit("passed")
    assert store.store.get_artifacts() == before
    store.run("monday").record_audit("failed")
    (after,) = store.store.get_artifacts()
    assert string_property(after, "freeze_audit") == "failed"


def test_a_verdict_needs_a_model(store: Store) -> None:
    store.put("monday", "Evaluator")
    with pytest.raises(RuntimeError, match="Trainer left no Model in ML Metadata"):
        store.run("monday").record_audit("passed")
