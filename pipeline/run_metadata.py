"""What ML Metadata says of one run: which component put out what, and whether it was taken from the cache."""

import os

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from trainer_module.audit.audit_record import Verdict


class RunMetadata:
    """One run of a pipeline.

    Args:
        store: See `metadata_store.open_store`.
        pipeline_name: As in the config.
        run_id: TFX's id of the run.
    """

    def __init__(self, store: MetadataStore, pipeline_name: str, run_id: str) -> None:
        self._store = store
        self._pipeline_name = pipeline_name
        run = self._store.get_context_by_type_and_name("pipeline_run", run_id)
        self._executions = {e.id: e for e in self._store.get_executions_by_context(run.id)} if run else {}

    def is_cached(self, component: str) -> bool:
        """Whether the component was skipped because nothing it depends on changed."""
        execution = self._execution(component)
        return execution is not None and execution.last_known_state == mlmd.Execution.CACHED

    def output(self, component: str, type_name: str) -> mlmd.Artifact | None:
        """The newest artifact of this type that the component put out (or took from the cache) in this run."""
        execution = self._execution(component)
        if execution is None:
            return None
        outputs = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT, mlmd.Event.PENDING_OUTPUT)
        ids = [e.artifact_id for e in self._store.get_events_by_execution_ids([execution.id]) if e.type in outputs]
        artifacts = [a for a in self._store.get_artifacts_by_id(ids) if a.type == type_name]
        return max(artifacts, key=lambda artifact: artifact.id, default=None)

    def exec_property(self, component: str, name: str) -> str:
        """A text that the component was given; empty where it didn't run, or has none of that name."""
        execution = self._execution(component)
        has_it = execution is not None and name in execution.custom_properties
        return str(execution.custom_properties[name].string_value) if execution and has_it else ""

    def was_pushed_before(self, pushed: mlmd.Artifact) -> bool:
        """Whether a push names a version that an earlier run pushed: from the cache, or as the model is the same."""
        made = self._store.get_events_by_artifact_ids([pushed.id])
        if any(event.type == mlmd.Event.OUTPUT and event.execution_id not in self._executions for event in made):
            return True
        where = string_property(pushed, "pushed_destination")
        others = self._store.get_artifacts_by_type(pushed.type)
        return any(each.id < pushed.id and string_property(each, "pushed_destination") == where for each in others)

    def record_audit(self, verdict: Verdict) -> None:
        """Writes the audit's verdict onto this run's Model artifact, as the custom property `freeze_audit`.

        FreezeAudit can't do it itself: TFX publishes what a component put out, never what it was given. TFX's cache
        goes by an artifact's properties, so what takes a new model as an input runs once more in the next run.
        """
        model = self.output("Trainer", "Model")
        if model is None:
            raise RuntimeError("Trainer left no Model in ML Metadata")
        if string_property(model, "freeze_audit") == verdict:
            return
        model.custom_properties["freeze_audit"].string_value = verdict
        self._store.put_artifacts([model])

    def _execution(self, component: str) -> mlmd.Execution | None:
        node = self._store.get_context_by_type_and_name("node", f"{self._pipeline_name}.{component}")
        if node is None:
            return None
        executions = [e for e in self._store.get_executions_by_context(node.id) if e.id in self._executions]
        return max(executions, key=lambda execution: execution.id, default=None)


def forget_lost_artifacts(store: MetadataStore, pipeline_name: str) -> None:
    """Marks what was removed from this machine as deleted, so that the components that made it aren't skipped.

    TFX takes a cached output for granted. A push stays what it is when its serving folder is gone, be it by
    `push.keep_versions`: its model is still what a new one is compared with, and Pusher looks at the folder anew
    in each run that comes after a push.

    Args:
        store: See `metadata_store.open_store`; it may hold other pipelines, whose files may be on other machines.
        pipeline_name: As in the config.
    """
    pipeline = store.get_context_by_type_and_name("pipeline", pipeline_name)
    if pipeline is None:
        return
    lost = [
        artifact
        for artifact in store.get_artifacts_by_context(pipeline.id)
        if artifact.state == mlmd.Artifact.LIVE and _is_lost(artifact.uri)
    ]
    for artifact in lost:
        artifact.state = mlmd.Artifact.DELETED
    if lost:
        store.put_artifacts(lost)


def _is_lost(path: str) -> bool:
    return bool(path) and "://" not in path and not os.path.exists(path)


def string_property(artifact: mlmd.Artifact, name: str) -> str:
    """A custom property's text; empty when the artifact has none of that name."""
    return artifact.custom_properties[name].string_value if name in artifact.custom_properties else ""


def int_property(artifact: mlmd.Artifact, name: str) -> int:
    """A custom property's number; 0 when the artifact has none of that name."""
    return artifact.custom_properties[name].int_value if name in artifact.custom_properties else 0
