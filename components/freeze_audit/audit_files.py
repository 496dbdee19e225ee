"""An audit as the files and the custom properties of an artifact."""

import os

from tfx.dsl.io import fileio
from tfx.types.artifact import Artifact

from components.freeze_audit.audit_page import audit_page
from trainer_module.audit.audit_record import AuditRecord


def audit_file(uri: str) -> str:
    """The audit itself: JSON of a `trainer_module.audit.audit_record.AuditRecord`."""
    return os.path.join(uri, "freeze_audit.json")


def audit_page_file(uri: str) -> str:
    """The page that shows it."""
    return os.path.join(uri, "freeze_audit.html")


def write_audit(record: AuditRecord, uri: str) -> None:
    """Writes both files into an existing folder, local or gs://."""
    for path, content in {audit_page_file(uri): audit_page(record), audit_file(uri): record.to_json()}.items():
        with fileio.open(path, "w") as stream:
            stream.write(content)


def record_audit(artifact: Artifact, record: AuditRecord) -> None:
    """Writes onto an artifact what ML Metadata is to know of an audit.

    Its custom properties are `verdict` (`passed` or `failed`), `plan_digest`, `frozen_params`, `trainable_params` and
    `moved_variables`.

    Args:
        artifact: An output of the running component; TFX publishes it when the component succeeds.
        record: See `AuditRecord`.
    """
    artifact.set_string_custom_property("verdict", record.verdict)
    artifact.set_string_custom_property("plan_digest", record.plan_digest)
    artifact.set_int_custom_property("frozen_params", record.frozen_params)
    artifact.set_int_custom_property("trainable_params", record.trainable_params)
    artifact.set_int_custom_property("moved_variables", record.moved_variables)
