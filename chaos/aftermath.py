"""What must hold whenever nothing runs, whatever happened before."""

from collections.abc import Iterator
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata

from chaos.project import Project
from components.atomic_pusher.model_files import digest_of
from components.atomic_pusher.origin import read_origin
from components.atomic_pusher.serving_folder import versions
from pipeline.run_metadata import int_property

_DONE = (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED)


def problems_of_serving(project: Project, pushes: int) -> Iterator[str]:
    """Whether each version is the whole of the model it says it is of, and there are as many as were pushed.

    Args:
        project: Whose serving folder is read.
        pushes: How many versions there must be.
    """
    found = versions(str(project.serving))
    if len(found) != pushes:
        yield f"the serving folder has {len(found)} versions after {pushes} pushes"
    for version, path in found.items():
        origin = read_origin(path)
        if origin is None:
            yield f"version {version} doesn't say of which model it is"
        elif digest_of(path) != origin.digest:
            yield f"version {version} isn't what was pushed"


def problems_of_metadata(project: Project, *, at_rest: bool) -> Iterator[str]:
    """Whether ML Metadata can be read, and nothing half-done counts.

    Args:
        project: Whose metadata is read.
        at_rest: Whether the last run came to its end; then nothing may be left that seems to be running.
    """
    store = MetadataStore(metadata.sqlite_metadata_connection_config(str(project.metadata)))
    executions = {execution.id: execution for execution in store.get_executions()}
    running = [e for e in executions.values() if e.last_known_state == mlmd.Execution.RUNNING]
    if at_rest and running:
        yield f"{len(running)} executions seem to be running"
    counted = [
        artifact
        for artifact in store.get_artifacts()
        if artifact.state == mlmd.Artifact.LIVE
        and (
            (artifact.type == "ModelBlessing" and int_property(artifact, "blessed"))
            or (artifact.type == "PushedModel" and int_property(artifact, "pushed"))
        )
    ]
    made = {
        event.artifact_id: executions[event.execution_id].last_known_state
        for event in store.get_events_by_artifact_ids([artifact.id for artifact in counted])
        if event.type == mlmd.Event.OUTPUT
    }
    for artifact in counted:
        if made.get(artifact.id) not in _DONE:
            yield f"{artifact.type} {artifact.id} counts, but what made it never came to its end"


def problems_of_files(project: Project) -> Iterator[str]:
    """Whether anything half-written lies about after a run that came to its end."""
    store = MetadataStore(metadata.sqlite_metadata_connection_config(str(project.metadata)))
    known = {str(Path(artifact.uri)) for artifact in store.get_artifacts()}
    artifacts = project.state / "artifacts"
    for folder in artifacts.glob("[!.]*/[!.]*/[0-9]*"):
        if str(folder) not in known:
            yield f"{folder.relative_to(artifacts)} belongs to nothing in ML Metadata"
    for leftover in artifacts.glob("*/.system/*/*"):
        if any(leftover.iterdir()):
            yield f"{leftover.relative_to(artifacts)} was left behind"
    for leftover in project.serving.glob(".permafrost-*"):
        yield f"{leftover.name} was left in the serving folder"


def pushed_version(summary: dict[str, object]) -> int:
    """The version that a run's JSON says it pushed; 0: none."""
    pushed = summary.get("pushed_model")
    return int(Path(str(pushed)).name) if pushed else 0
