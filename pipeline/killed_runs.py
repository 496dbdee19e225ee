"""Clears away what a run left that was killed; TFX leaves that to nobody."""

import logging
from collections.abc import Iterator

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.io import fileio

from components.atomic_pusher.serving_folder import remove_leftover
from pipeline.run_record import RUN_TYPE, outcome_of, record_outcome

_GOES_ON = (mlmd.Execution.NEW, mlmd.Execution.RUNNING)

_log = logging.getLogger("permafrost.killed_runs")


def clear_killed_runs(store: MetadataStore, pipeline_name: str, artifacts_root: str) -> None:
    """Marks as failed what ML Metadata takes for running, and removes the half-written folders of it.

    Only for who holds the pipeline's lock: then nothing of it runs. What a component put out at its end stays.

    Args:
        store: ML Metadata; it may hold other pipelines, which may well be running.
        pipeline_name: As in the config.
        artifacts_root: Where the components put what they make.
    """
    pipeline = store.get_context_by_type_and_name("pipeline", pipeline_name)
    if pipeline is None:
        return
    executions = store.get_executions_by_context(pipeline.id)
    killed = [execution for execution in executions if execution.last_known_state in _GOES_ON]
    for execution in killed:
        contexts = {context.type: context for context in store.get_contexts_by_execution(execution.id)}
        component = contexts["node"].name.removeprefix(f"{pipeline_name}.")
        _log.warning("%s of run %s was killed; clearing away what it left", component, contexts[RUN_TYPE].name)
        for folder in _folders(execution, f"{artifacts_root}/{component}"):
            remove_leftover(folder)
        _abandon(store, execution)
        if outcome_of(contexts[RUN_TYPE]) is None:
            summary = {"error": f"the run was killed while {component} ran", "component": component, "killed": True}
            record_outcome(store, contexts[RUN_TYPE].name, "failed", summary)


def _folders(execution: mlmd.Execution, component_dir: str) -> Iterator[str]:
    """What TFX's launcher made for this execution: outputs, its temporary folder and its working folder."""
    yield from fileio.glob(f"{component_dir}/*/{execution.id}")
    yield from fileio.glob(f"{component_dir}/.system/executor_execution/{execution.id}")
    # TFX writes down nowhere whose a working folder is, but what comes to its end removes its own.
    yield from fileio.glob(f"{component_dir}/.system/stateful_working_dir/*")


def _abandon(store: MetadataStore, execution: mlmd.Execution) -> None:
    """The execution last: whoever kills this as well leaves it to be found again."""
    ids = [event.artifact_id for event in store.get_events_by_execution_ids([execution.id])]
    pending = [artifact for artifact in store.get_artifacts_by_id(ids) if artifact.state == mlmd.Artifact.PENDING]
    for artifact in pending:
        artifact.state = mlmd.Artifact.ABANDONED
    if pending:
        store.put_artifacts(pending)
    execution.last_known_state = mlmd.Execution.FAILED
    store.put_executions([execution])
