"""Makes a model live again that was live before."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from components.artifact_properties import MODEL_FILES, MODEL_ID, WITHDRAWN
from components.atomic_pusher.archive import archive
from components.atomic_pusher.model_files import files_to_json
from components.atomic_pusher.push import Pushed, push
from components.atomic_pusher.serving_folder import entries, remove_leftover
from pipeline.config import PipelineConfig
from pipeline.folders import output_folders, require_folders
from pipeline.killed_runs import clear_killed_runs
from pipeline.metadata_connection import metadata_connection
from pipeline.metadata_store import open_store
from pipeline.pipeline import artifacts_root
from pipeline.pushes import Push, pushes, rollback_obstacles
from pipeline.rollback_record import record_rollback
from pipeline.run_lock import run_lock
from trainer_module.errors import UserError


@dataclass(frozen=True)
class Rollback:
    """What a rollback did.

    Attributes:
        from_version: That was live.
        to_version: Whose model is live again.
        version: Under which it was pushed: TensorFlow Serving serves the highest number.
        pushed_model: The folder of that.
    """

    from_version: str
    to_version: str
    version: str
    pushed_model: str

    def to_json(self) -> dict[str, str]:
        """The object that `permafrost rollback --json` prints."""
        return asdict(self)


def roll_back(config: PipelineConfig, to_version: str | None = None) -> Rollback:
    """Pushes an earlier model again; new models are compared with it, and the one that was live is never pushed again.

    Whole or not at all for readers of the serving folder. A rollback that was killed is repeated by the same command.

    Args:
        config: With absolute paths.
        to_version: One that was pushed; default: the version before the live one, without what was withdrawn.

    Raises:
        UserError: There is nothing to go back to, the version can't be gone back to, or a run goes on.
    """
    require_folders(output_folders(config))
    name = config.pipeline.name
    with run_lock(config.pipeline.root, "a rollback"):
        store = open_store(metadata_connection(config))
        clear_killed_runs(store, name, artifacts_root(config))
        history = pushes(store, name)
        live = next((each for each in history if each.is_live), None)
        if live is None or live.model is None:
            raise UserError(f"rollback: pipeline {name} has no live model: nothing was pushed yet")
        target = _target(store, history, live, to_version)
        model = _usable_model(store, history, target)
        archives = f"{artifacts_root(config)}/rollback/pushed_model"
        _remove_leftovers(store, archives)
        pushed_uri = f"{archives}/{time.time_ns()}"
        pushed = _push(config, model, pushed_uri)
        record_rollback(
            store,
            name,
            inputs=[_marked(live.model, 1), _marked(model, 0)],
            output=_pushed_model(store, pushed, pushed_uri, model.id),
            summary=(done := Rollback(live.version, target.version, str(pushed.version), pushed.path)).to_json(),
        )
        return done


def _target(store: MetadataStore, history: Sequence[Push], live: Push, to_version: str | None) -> Push:
    assert live.model is not None
    if to_version is None:
        others = [each for each in history if each.model is not None and each.model.id != live.model.id]
        earlier = [each for each in others if not each.is_withdrawn and each.pushed.id < live.pushed.id]
        if not earlier:
            raise UserError(f"rollback: version {live.version} is live, and no earlier model is left to go back to")
        return earlier[0]
    named = next((each for each in history if each.version == to_version), None)
    if named is None:
        obstacles = rollback_obstacles(store, history, [each.version for each in history], read=False)
        known = ", ".join(version for version, obstacle in obstacles.items() if not obstacle) or "none"
        raise UserError(f"--to {to_version}: this pipeline never pushed such a version; it can go back to: {known}")
    return named


def _usable_model(store: MetadataStore, history: Sequence[Push], target: Push) -> mlmd.Artifact:
    obstacle = rollback_obstacles(store, history, [target.version], read=True)[target.version]
    if obstacle or target.model is None:
        raise UserError(
            f"rollback to version {target.version}: {obstacle}; choose another with --to (`permafrost history` shows "
            "which versions a rollback can go back to)"
        )
    return target.model


def _remove_leftovers(store: MetadataStore, archives: str) -> None:
    """Removes what a rollback left that was killed before it was written down."""
    for name in entries(archives):
        if not store.get_artifacts_by_uri(f"{archives}/{name}"):
            remove_leftover(f"{archives}/{name}")


def _push(config: PipelineConfig, model: mlmd.Artifact, pushed_uri: str) -> Pushed:
    model_dir = path_utils.serving_model_path(model.uri)
    try:
        archive(model_dir, pushed_uri)
        return push(
            model_dir,
            config.push.directory,
            model_uri=model.uri,
            model_id=model.id,
            keep_versions=config.push.keep_versions,
        )
    except BaseException:
        if fileio.exists(pushed_uri):
            fileio.rmtree(pushed_uri)
        raise


def _marked(model: mlmd.Artifact, withdrawn: int) -> mlmd.Artifact:
    model.custom_properties[WITHDRAWN].int_value = withdrawn
    # Its files are here, whatever was thought of them.
    model.state = model.state if withdrawn else mlmd.Artifact.LIVE
    return model


def _pushed_model(store: MetadataStore, pushed: Pushed, uri: str, model_id: int) -> mlmd.Artifact:
    artifact = mlmd.Artifact(type_id=store.get_artifact_type("PushedModel").id, uri=uri, state=mlmd.Artifact.LIVE)
    for name, number in {"pushed": 1, MODEL_ID: model_id}.items():
        artifact.custom_properties[name].int_value = number
    texts = {
        "pushed_destination": pushed.path,
        "pushed_version": str(pushed.version),
        MODEL_FILES: files_to_json(pushed.files),
    }
    for name, text in texts.items():
        artifact.custom_properties[name].string_value = text
    return artifact
