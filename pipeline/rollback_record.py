"""What ML Metadata knows of rollbacks: an execution each, in a context of its own and in the pipeline's."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.types.standard_component_specs import MODEL_KEY, PUSHED_MODEL_KEY

ROLLBACK_TYPE = "rollback"
"""Of the context and of the execution."""

_PIPELINE = "pipeline_name"
_SUMMARY = "summary"


def record_rollback(
    store: MetadataStore,
    pipeline_name: str,
    *,
    inputs: Sequence[mlmd.Artifact],
    output: mlmd.Artifact,
    summary: Mapping[str, Any],
) -> None:
    """Writes a rollback down, all of it or nothing.

    Args:
        store: ML Metadata.
        pipeline_name: By its context the pipeline finds the push.
        inputs: The models, as they are to be from now on.
        output: The PushedModel.
        summary: `Rollback.to_json`.
    """
    execution = mlmd.Execution(
        type_id=store.put_execution_type(mlmd.ExecutionType(name=ROLLBACK_TYPE)),
        last_known_state=mlmd.Execution.COMPLETE,
    )
    context = mlmd.Context(
        type_id=store.put_context_type(mlmd.ContextType(name=ROLLBACK_TYPE)),
        name=f"{pipeline_name}.{time.time_ns()}",
    )
    context.custom_properties[_PIPELINE].string_value = pipeline_name
    context.custom_properties[_SUMMARY].string_value = json.dumps(summary)
    pipeline = store.get_context_by_type_and_name("pipeline", pipeline_name)
    pairs = [(artifact, _event(mlmd.Event.INPUT, MODEL_KEY, index)) for index, artifact in enumerate(inputs)]
    pairs.append((output, _event(mlmd.Event.OUTPUT, PUSHED_MODEL_KEY, 0)))
    store.put_execution(execution, pairs, [pipeline, context], reuse_context_if_already_exist=True)


def rollbacks(store: MetadataStore, pipeline_name: str) -> list[tuple[mlmd.Context, dict[str, Any]]]:
    """All rollbacks of a pipeline, with their summaries."""
    found = [
        context
        for context in store.get_contexts_by_type(ROLLBACK_TYPE)
        if context.custom_properties[_PIPELINE].string_value == pipeline_name
    ]
    return [(context, json.loads(context.custom_properties[_SUMMARY].string_value)) for context in found]


def _event(kind: "mlmd.Event.Type", key: str, index: int) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = index
    return event
