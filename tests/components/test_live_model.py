"""Which model is live."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components.live_model import LiveModelStrategy

Resolve = Callable[[list[Artifact], list[Artifact]], list[int]]


@pytest.fixture
def store(tmp_path: Path) -> MetadataStore:
    return MetadataStore(sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite")))


@pytest.fixture
def resolve(store: MetadataStore) -> Resolve:
    """Gives the ids of what it finds: of the model and its push, or none."""

    def ids(models: list[Artifact], pushes: list[Artifact]) -> list[int]:
        found = LiveModelStrategy().resolve_artifacts(store, {"model": models, "pushed_model": pushes})
        assert found is not None
        assert list(found) == ["model", "pushed_model"]
        return [artifact.id for artifacts in found.values() for artifact in artifacts]

    return ids


def model(number: int) -> Artifact:
    artifact = standard_artifacts.Model()
    artifact.id = number
    return artifact


def push(number: int, pushed: int = 1, model_id: int | None = None) -> Artifact:
    artifact = standard_artifacts.PushedModel()
    artifact.id = number
    artifact.set_int_custom_property("pushed", pushed)
    artifact.set_string_custom_property("pushed_version", str(1000 + number))
    if model_id is not None:
        artifact.set_int_custom_property("model_id", model_id)
    return artifact


def test_nothing_is_live_before_anything_was_pushed(resolve: Resolve) -> None:
    assert resolve([], []) == []
    assert resolve([model(1), model(2)], [push(3, pushed=0)]) == []


def test_the_model_of_the_latest_push_is_live(resolve: Resolve) -> None:
    models = [model(1), model(4), model(7)]
    pushes = [push(8, pushed=0), push(5, model_id=4), push(2, model_id=1)]
    assert resolve(models, pushes) == [4, 5], "the model of the last run wasn't pushed"
    assert resolve(models, [*pushes, push(9, model_id=1)]) == [1, 9], "an old one was made live again"


def test_a_live_model_that_is_gone_leaves_the_one_before(resolve: Resolve, caplog: pytest.LogCaptureFixture) -> None:
    assert resolve([model(1)], [push(2, model_id=1), push(5, model_id=4)]) == [1, 2]
    assert caplog.messages == [
        "the model that was pushed as version 1005 is no longer among the pipeline's artifacts; "
        "going by the push before it"
    ]


def _stock_push(store: MetadataStore) -> list[int]:
    """A model that TFX's own Pusher pushed, which reads a blessing too; gives the ids of model and push."""
    types = {
        name: store.put_artifact_type(mlmd.ArtifactType(name=name)) for name in ("Blessing", "Model", "PushedModel")
    }
    ids = dict(
        zip(types, store.put_artifacts([mlmd.Artifact(type_id=type_id) for type_id in types.values()]), strict=True)
    )
    pusher = store.put_execution_type(mlmd.ExecutionType(name="Pusher"))
    pushed, cached = store.put_executions([mlmd.Execution(type_id=pusher), mlmd.Execution(type_id=pusher)])
    events = []
    for execution in (pushed, cached):
        for name, key in {"Blessing": "model_blessing", "Model": "model", "PushedModel": "pushed_model"}.items():
            kind = mlmd.Event.OUTPUT if name == "PushedModel" else mlmd.Event.INPUT
            event = mlmd.Event(artifact_id=ids[name], execution_id=execution, type=kind)
            event.path.steps.add().key = key
            events.append(event)
    store.put_events(events)
    return [ids["Model"], ids["PushedModel"]]


def test_a_push_from_before_is_followed_to_the_model_that_was_read(resolve: Resolve, store: MetadataStore) -> None:
    model_id, push_id = _stock_push(store)
    others = [model(model_id + 50), model(model_id + 51)]
    assert resolve([*others, model(model_id)], [push(push_id)]) == [model_id, push_id]


def test_a_push_that_nobody_knows_anything_of_leaves_none(resolve: Resolve) -> None:
    assert resolve([model(1)], [push(2)]) == []
