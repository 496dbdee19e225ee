"""What DataGate does when it runs."""

import logging
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import ANOMALIES_KEY, MODEL_KEY
from tfx.utils import path_utils

from components.data_gate.anomalies import find_anomalies
from components.data_gate.comparisons import TRAIN, find_drift, find_skew
from components.data_gate.counts import count_rows
from components.data_gate.report import Finding, GateReport
from components.data_gate.settings import DataGateSettings
from components.data_profile.executor import PROFILE_KEY
from components.data_profile.profile import ProfileRecord, profile_file, profile_in_model, read_profile
from trainer_module.errors import UserError
from trainer_module.settings import ColumnSettings

CHECKS_KEY = "checks"
INFERRED_OF_KEY = "schema_inferred_of"
REPORT_KEY = "report"

_log = logging.getLogger("permafrost.data_gate")


class Executor(base_executor.BaseExecutor):
    """Looks at what others measured."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Lets the run go on, or stops it.

        Args:
            input_dict: `anomalies`, `data_profile`, and the live `model` where there is one.
            output_dict: `report`. TFX removes it when the run is stopped; the log then has all of it.
            exec_properties: `checks` and, where the schema was inferred, `schema_inferred_of`, both JSON.

        Raises:
            UserError: Names all that stops the run.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = DataGateSettings.model_validate_json(exec_properties[CHECKS_KEY])
        columns = exec_properties.get(INFERRED_OF_KEY)
        inferred_of = ColumnSettings.model_validate_json(columns) if columns else None
        profile = _profile(artifact_utils.get_single_uri(input_dict[PROFILE_KEY]))

        anomalies = artifact_utils.get_single_instance(input_dict[ANOMALIES_KEY])
        findings: list[Finding] = [*find_anomalies(anomalies, inferred_of, settings.on_anomalies)]
        findings += count_rows(profile.splits[TRAIN], settings)
        compared = [find_skew(profile, settings), _drift(profile, input_dict.get(MODEL_KEY), settings)]
        report = GateReport(
            findings=findings + [finding for each in compared for finding in each.findings],
            notes=[note for each in compared for note in each.notes],
        )
        _tell(report)
        if stops := report.messages("stop"):
            raise UserError(stops)
        report.write(artifact_utils.get_single_instance(output_dict[REPORT_KEY]))


def _profile(uri: str) -> ProfileRecord:
    profile = read_profile(profile_file(uri))
    if profile is None:
        raise RuntimeError(f"DataProfile left no {profile_file(uri)}")
    return profile


def _drift(profile: ProfileRecord, models: list[Artifact] | None, settings: DataGateSettings) -> GateReport:
    if not models:
        return GateReport(findings=[], notes=["drift: there is no live model to compare with"])
    model = artifact_utils.get_single_instance(models)
    file = profile_in_model(path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)))
    live = read_profile(file)
    if live is None:
        return GateReport(findings=[], notes=[f"drift: the live model has no {file} to compare with"])
    return find_drift(profile, live, settings)


def _tell(report: GateReport) -> None:
    levels = {"passed": logging.INFO, "warn": logging.WARNING, "stop": logging.ERROR}
    for finding in report.findings:
        _log.log(levels[finding.outcome], "%s", finding.message)
    for note in report.notes:
        _log.info("%s", note)
