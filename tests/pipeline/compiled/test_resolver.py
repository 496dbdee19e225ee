"""What resolvers find, and what importers bring in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline.compiled.artifact_store import Artifact, ArtifactStore, Step
from pipeline.compiled.executor_input import make_executor_input
from pipeline.compiled.placeholders import Placeholders
from pipeline.compiled.resolver import import_artifact, resolve
from trainer_module.errors import UserError

Job = Any
"""`conftest.JobBuilder`, which can't be imported by its name."""

BLESSED = 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1'
_ITS_NAME = "{{$.inputs.artifacts['input'].metadata['current_model_id']}}"
ITS_MODEL = f'schema_title="tfx.Model" AND state=LIVE AND name="{_ITS_NAME}"'


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """Three runs: the first and the second are blessed, the third isn't."""
    store = ArtifactStore(tmp_path, "mine")
    for number, blessed in enumerate([1.0, 1.0, 0.0]):
        run = store.new_run({})
        model = Artifact(name=f"model {number}", title="tfx.Model", type={}, uri="gs://model", state="LIVE")
        verdict = Artifact(
            name=f"blessing {number}",
            title="tfx.ModelBlessing",
            type={},
            uri="gs://blessing",
            state="LIVE",
            metadata={"blessed": blessed, "current_model_id": model.name},
        )
        run.steps.append(Step(task="all", state="SUCCEEDED", outputs={"model": [model], "blessing": [verdict]}))
        store.save(run)
    return store


def find(job: Job, store: ArtifactStore, task: str, inputs: dict[str, list[Artifact]]) -> dict[str, list[Artifact]]:
    loaded = job.load().tasks[task]
    message = make_executor_input(loaded, inputs, {}, {}, Path("/nowhere"))
    return resolve(loaded, store, Placeholders(message, {}))


@pytest.fixture
def latest_blessed(job: Job) -> Job:
    """As TFX compiles its LatestBlessedModelStrategy."""
    job.resolver("blessing", "model_blessing", BLESSED, "tfx.ModelBlessing")
    job.resolver("model", "model", ITS_MODEL, "tfx.Model", inputs={"input": "blessing.model_blessing"})
    return job


def test_the_latest_blessed_model(latest_blessed: Job, store: ArtifactStore) -> None:
    found = find(latest_blessed, store, "blessing", {})
    assert [each.name for each in found["model_blessing"]] == ["blessing 1"]
    found = find(latest_blessed, store, "model", {"input": found["model_blessing"]})
    assert [each.name for each in found["model"]] == ["model 1"]


def test_nothing_is_found_where_nothing_was_blessed(latest_blessed: Job, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "empty", "mine")
    found = find(latest_blessed, store, "blessing", {})
    assert found == {"model_blessing": []}
    assert find(latest_blessed, store, "model", {"input": []}) == {"model": []}


def test_a_limit(job: Job, store: ArtifactStore) -> None:
    job.resolver("latest", "model", 'schema_title="tfx.Model" AND state=LIVE', "tfx.Model")
    assert [each.name for each in find(job, store, "latest", {})["model"]] == ["model 2"]
    job.executor("latest")["resolver"]["outputArtifactQueries"]["model"]["limit"] = 2
    assert [each.name for each in find(job, store, "latest", {})["model"]] == ["model 2", "model 1"]


def test_a_filter_that_is_not_understood_finds_nothing_silently_never(job: Job, store: ArtifactStore) -> None:
    job.resolver("latest", "model", "state=LIVE OR state=PENDING", "tfx.Model")
    with pytest.raises(UserError, match="expected AND"):
        find(job, store, "latest", {})


def bring_in(job: Job, store: ArtifactStore, parameters: dict[str, Any]) -> Artifact:
    loaded = job.load().tasks["importer"]
    message = make_executor_input(loaded, {}, parameters, {}, Path("/nowhere"))
    outputs = import_artifact(loaded, store, parameters, Placeholders(message, {}), "mine/9/importer")
    (artifact,) = outputs["result"]
    return artifact


def test_an_importer_with_a_constant(job: Job, store: ArtifactStore) -> None:
    job.importer("importer", "tfx.Schema", {"constant": "gs://schema"}, metadata={"a": 1})
    artifact = bring_in(job, store, {})
    assert (artifact.name, artifact.title, artifact.uri, artifact.state, artifact.metadata) == (
        "mine/9/importer/result", "tfx.Schema", "gs://schema", "PENDING", {"a": 1}
    )  # fmt: skip


def test_an_importer_with_a_constant_of_schema_2_0(job: Job, store: ArtifactStore) -> None:
    job.importer("importer", "tfx.Schema", {"constantValue": {"stringValue": "gs://schema"}})
    assert bring_in(job, store, {}).uri == "gs://schema"


def test_an_importer_with_a_parameter(job: Job, store: ArtifactStore) -> None:
    job.importer("importer", "tfx.Schema", {"runtimeParameter": "artifact_uri"})
    assert bring_in(job, store, {"artifact_uri": "gs://given"}).uri == "gs://given"


@pytest.mark.parametrize(("reimport", "expected"), [(False, "model 2"), (True, "mine/9/importer/result")])
def test_what_was_imported_before_is_the_same_artifact(
    job: Job, store: ArtifactStore, reimport: bool, expected: str
) -> None:
    job.importer("importer", "tfx.Model", {"constant": "gs://model"}, reimport=reimport)
    assert bring_in(job, store, {}).name == expected


def test_another_type_or_other_properties_are_another_artifact(job: Job, store: ArtifactStore) -> None:
    job.importer("importer", "tfx.Schema", {"constant": "gs://model"})
    assert bring_in(job, store, {}).name == "mine/9/importer/result"
    job.importer("importer", "tfx.Model", {"constant": "gs://model"}, metadata={"a": 1})
    assert bring_in(job, store, {}).name == "mine/9/importer/result"


def test_the_queries_are_those_that_tfx_writes(make_type: Callable[[str], pb.ArtifactTypeSchema]) -> None:
    """In the test data of the TFX that is installed."""
    import importlib.util

    tfx = importlib.util.find_spec("tfx")
    assert tfx is not None and tfx.origin is not None
    data = Path(tfx.origin).parent / "orchestration" / "kubeflow" / "v2" / "testdata"
    executors = json.loads((data / "expected_full_taxi_pipeline_job.json").read_text())["pipelineSpec"][
        "deploymentSpec"
    ]["executors"]
    filters = {
        query["filter"]
        for executor in executors.values()
        for query in executor.get("resolver", {}).get("outputArtifactQueries", {}).values()
    }
    assert filters == {BLESSED, ITS_MODEL, 'schema_title="tfx.Model" AND state=LIVE'}
