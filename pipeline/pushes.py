"""What was pushed so far, which of it is live, and which of it can be made live again."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifact_properties import MODEL_FILES, WITHDRAWN
from components.atomic_pusher.model_files import SAVED_MODEL, damage, describe_files, digest_of, files_from_json
from components.atomic_pusher.origin import read_origin
from components.live_model import MODEL_KEY, PUSHED_MODEL_KEY, LiveModelStrategy
from pipeline.run_metadata import int_property, string_property
from trainer_module.audit.saved_weights import SavedWeights, Unreadable


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


def rollback_obstacles(
    store: MetadataStore, history: Sequence[Push], versions: Iterable[str], *, read: bool
) -> dict[str, str]:
    """Says why a rollback can't go back to versions.

    Args:
        store: ML Metadata.
        history: All pushes of the pipeline; see `pushes`.
        versions: Those to look at.
        read: Whether their models' files are read and compared with what was pushed; otherwise only names and sizes
            are, which takes no time.

    Returns:
        A reason by version; empty where a rollback can go back to it.
    """
    # TFX's Evaluator records in the blessing which model it is for.
    blessings = [each for each in store.get_artifacts_by_type("ModelBlessing") if int_property(each, "blessed") == 1]
    blessed = {int_property(each, "current_model_id") for each in blessings}
    live = next((each for each in history if each.is_live), None)

    def obstacle(push: Push) -> str:
        if push.model is None:
            return "ML Metadata no longer knows its model"
        if live is not None and live.model is not None and live.model.id == push.model.id:
            return f"its model is live already, as version {live.version}"
        if push.model.id not in blessed:
            return "Evaluator never blessed its model"
        return _damage(push, push.model, read=read)

    wanted = set(versions)
    return {push.version: obstacle(push) for push in history if push.version in wanted}


def _damage(push: Push, model: mlmd.Artifact, *, read: bool) -> str:
    """Says what became of a model's files since the push; empty where they are what was pushed."""
    folder = path_utils.serving_model_path(model.uri)
    try:
        if not fileio.exists(os.path.join(folder, SAVED_MODEL)):
            return f"its model's files are gone from {model.uri}"
        files = string_property(push.pushed, MODEL_FILES)
        found = (
            damage(folder, files_from_json(files), read=read) if files else _damage_by_copies(push, folder, read=read)
        )
    except Exception as error:
        # Each kind of storage has errors of its own.
        found = f"it can't be read: {error}"
    return found and f"its model in {folder} can't be used: {found}"


def _damage_by_copies(push: Push, folder: str, *, read: bool) -> str:
    """The same for a push of a release that put no digests into ML Metadata: it left copies of the model."""
    version = string_property(push.pushed, "pushed_destination")
    origin = read_origin(version)
    if origin is not None and push.model is not None and origin.model == push.model.uri:
        if not read:
            return damage(folder, describe_files(version, read=False), read=False)
        return "" if digest_of(folder) == origin.digest else "it has changed since it was pushed"
    archived = describe_files(push.pushed.uri, read=read)
    if not archived:
        return f"nothing is left to check it by: neither a digest nor a copy in {push.pushed.uri}"
    found = damage(folder, archived, read=read)
    if found or not read:
        return found
    # Both may be the same files under two names, so that a change of one is in the other, too. TensorFlow checks each
    # value that is read against the checksum that was saved with it.
    try:
        weights = SavedWeights(folder)
        for name in weights.shapes:
            weights.read(name)
    except Unreadable as error:
        return f"it is damaged: {error}"
    return ""


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
