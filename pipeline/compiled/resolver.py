"""Resolver and importer steps: artifacts that are there already."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format

from pipeline.compiled.artifact_filter import Condition, parse_filter
from pipeline.compiled.artifact_store import Artifact, ArtifactStore, artifact_title, new_artifact
from pipeline.compiled.job import Task
from pipeline.compiled.parameters import constant
from pipeline.compiled.placeholders import NotThere, Placeholders


def resolve(task: Task, store: ArtifactStore, placeholders: Placeholders) -> dict[str, list[Artifact]]:
    """What a resolver finds among the pipeline's live artifacts, the latest first; an empty list for nothing.

    Args:
        task: A resolver.
        store: Where to look.
        placeholders: What its filters refer to.

    Raises:
        UserError: A filter isn't one that TFX writes.
    """
    found: dict[str, list[Artifact]] = {}
    for key, query in sorted(task.executor.resolver.output_artifact_queries.items()):
        conditions = parse_filter(query.filter)
        try:
            wanted = [Condition(each.field, placeholders.fill(each.value)) for each in conditions]
        except NotThere:  # it follows from another resolver's answer, and there was none
            found[key] = []
            continue
        matches = [each for each in store.live_artifacts() if all(condition.holds(each) for condition in wanted)]
        found[key] = matches[: query.limit or 1]
    return found


def import_artifact(
    task: Task, store: ArtifactStore, parameters: Mapping[str, Any], placeholders: Placeholders, name_prefix: str
) -> dict[str, list[Artifact]]:
    """The artifact of an importer: the one that was imported before, unless it is to be imported anew.

    Args:
        task: An importer.
        store: Where to look for it.
        parameters: The task's; one of them may be the URI.
        placeholders: For a constant URI.
        name_prefix: Of a new artifact's name.
    """
    importer = task.executor.importer
    if importer.artifact_uri.WhichOneof("value") == "runtime_parameter":
        uri = str(parameters[importer.artifact_uri.runtime_parameter])
    else:
        uri = str(placeholders.fill_value(constant(importer.artifact_uri)))
    metadata = json_format.MessageToDict(importer.metadata)
    title = artifact_title(importer.type_schema)
    known = [] if importer.reimport else store.live_artifacts()
    outputs = {}
    for key in task.component.output_definitions.artifacts:
        same = [each for each in known if (each.uri, each.title, each.metadata) == (uri, title, metadata)]
        outputs[key] = same[:1] or [new_artifact(f"{name_prefix}/{key}", importer.type_schema, uri, metadata)]
    return outputs
