"""What was pushed so far, and which of it is live, as ML Metadata says."""

from collections.abc import Iterable
from dataclasses import dataclass

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.types import artifact_utils

from components.artifact_properties import WITHDRAWN
from components.live_model import MODEL_KEY, PUSHED_MODEL_KEY, LiveModelStrategy
from pipeline.run_metadata import int_property, string_property


@dataclass(frozen=True)
class Push:
    """A version that was pushed, and of which model.

    Attributes:
        version: As its folder is called.
        pushed: The PushedModel.
        model: The Model; None where ML Metadata no longer knows it.
        is_live: Whether new models are compared with it.
    """

    version: str
    pushed: mlmd.Artifact
    model: mlmd.Artifact | None
    is_live: bool

    @property
    def is_withdrawn(self) -> bool:
        """Whether a rollback took the model back."""
        return self.model is not None and int_property(self.model, WITHDRAWN) == 1


def pushes(store: MetadataStore, pipeline_name: str) -> list[Push]:
    """All pushes, the newest first; none before the first run."""
    pipeline = store.get_context_by_type_and_name("pipeline", pipeline_name)
    if pipeline is None:
        return []
    artifacts = store.get_artifacts_by_context(pipeline.id)
    models = {artifact.id: artifact for artifact in artifacts if artifact.type == "Model"}
    pushed = [each for each in artifacts if each.type == "PushedModel" and int_property(each, "pushed") == 1]
    live = _resolved(store, _standing(models.values()), _standing(pushed)).get(PUSHED_MODEL_KEY)
    live_version = next((string_property(each, "pushed_version") for each in pushed if each.id == live), None)
    found: dict[str, Push] = {}
    for each in sorted(pushed, key=lambda artifact: artifact.id, reverse=True):
        version = string_property(each, "pushed_version")
        # A run that finds its model live already puts out another PushedModel of the same version.
        if version not in found:
            model = models.get(_resolved(store, list(models.values()), [each]).get(MODEL_KEY, 0))
            found[version] = Push(version, each, model, version == live_version)
    return list(found.values())


def _resolved(store: MetadataStore, models: list[mlmd.Artifact], pushed: list[mlmd.Artifact]) -> dict[str, int]:
    """The ids of what the pipeline itself would find among these."""
    if not models or not pushed:
        return {}
    given = {
        MODEL_KEY: artifact_utils.deserialize_artifacts(store.get_artifact_type("Model"), models),
        PUSHED_MODEL_KEY: artifact_utils.deserialize_artifacts(store.get_artifact_type("PushedModel"), pushed),
    }
    found = LiveModelStrategy().resolve_artifacts(store, given) or {}
    return {key: artifacts[0].id for key, artifacts in found.items() if artifacts}


def _standing(artifacts: Iterable[mlmd.Artifact]) -> list[mlmd.Artifact]:
    return [artifact for artifact in artifacts if artifact.state == mlmd.Artifact.LIVE]
