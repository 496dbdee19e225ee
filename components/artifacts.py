"""The types of what our components put out.

TFX's V2 runner (Vertex AI) must be able to write a type down and to find its class again in a container
(`tfx/orchestration/kubeflow/v2/compiler_utils.py`, `get_artifact_schema` and `_validate_properties_schema`). Hence:

- `TYPE_NAME` is an import path of exactly two parts, `components.<Class>`; `components/__init__.py` lists the class.
- There are no `PROPERTIES`: what is to be found in ML Metadata is a custom property.
"""

from tfx.types.artifact import Artifact


class FreezePlan(Artifact):
    """A folder with `freeze_plan.json` (see `trainer_module.freezing.freeze_plan`) and `freeze_plan.html` (for people).

    Its custom properties are those of `plan_properties.record_plan`.
    """

    TYPE_NAME = "components.FreezePlan"


class FreezeAudit(Artifact):
    """A folder with `freeze_audit.json` (a `trainer_module.audit.audit_record.AuditRecord`) and `freeze_audit.html`.

    Its custom properties are those of `freeze_audit.audit_files.record_audit`.
    """

    TYPE_NAME = "components.FreezeAudit"


class DataProfile(Artifact):
    """A folder with `data_profile.json` (a `data_profile.profile.ProfileRecord`)."""

    TYPE_NAME = "components.DataProfile"


class DataGateReport(Artifact):
    """A folder with `data_gate.json` (a `data_gate.report.GateReport`).

    Its custom properties are `warnings` and `notes`: how many there are.
    """

    TYPE_NAME = "components.DataGateReport"


class ReleaseReport(Artifact):
    """A folder with `report.json` (a `release_gate.report.ReleaseReport`).

    Its custom properties are those of `release_gate.report.write_report`.
    """

    TYPE_NAME = "components.ReleaseReport"
