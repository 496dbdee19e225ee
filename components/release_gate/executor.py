"""What ReleaseGate does when it runs."""

import logging
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import (
    BLESSING_KEY,
    EXAMPLES_KEY,
    MODEL_KEY,
    MODEL_RUN_KEY,
    TRANSFORM_GRAPH_KEY,
)
from tfx.utils import io_utils, path_utils

from components.artifact_properties import REASON
from components.custom_config import unpack_custom_config
from components.infra_blessing import write_blessing
from components.release_gate.checks import check_answers
from components.release_gate.limits import ReleaseLimits
from components.release_gate.probe import Probed, ProbeFailed, probe
from components.release_gate.questions import other_questions, serving_questions, timed_questions
from components.release_gate.real_rows import RealRow, find_rows
from components.release_gate.report import Check, ReleaseReport, write_report
from trainer_module.audit.saved_weights import SavedWeights, Unreadable
from trainer_module.errors import UserError, listed
from trainer_module.features import LABEL_VOCABULARY, in_class_order
from trainer_module.predictions import PREDICTIONS_FILE, Predictions
from trainer_module.settings import BertSettings

AUDIT_BLESSING_KEY = "audit_blessing"
REPORT_KEY = "report"
LIMITS_KEY = "limits"

_SPLIT = "eval"
_MB = 1_000_000

_log = logging.getLogger("permafrost.release_gate")


class Executor(base_executor.BaseExecutor):
    """Asks the model in a process of its own, and judges what it says."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Gives or withholds the blessing.

        Args:
            input_dict: `model`, `model_run`, `examples`, `transform_graph`, and `audit_blessing` where wanted.
            output_dict: `blessing` and `report`.
            exec_properties: `custom_config`, and `limits`: JSON of `ReleaseLimits`.

        Raises:
            UserError: The settings are wrong, or the Trainer left no predictions.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = BertSettings.from_custom_config(unpack_custom_config(exec_properties))
        limits = ReleaseLimits.model_validate_json(exec_properties[LIMITS_KEY])
        predictions = _read_predictions(artifact_utils.get_single_uri(input_dict[MODEL_RUN_KEY]))
        transform_graph = artifact_utils.get_single_uri(input_dict[TRANSFORM_GRAPH_KEY])
        wanted = predictions.rows[: limits.rows]
        rows = find_rows(artifact_utils.get_split_uri(input_dict[EXAMPLES_KEY], _SPLIT), transform_graph, wanted)
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        model_dir = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
        found = Check(name="real rows", measured=len(rows))
        if not rows or len(rows) < len(wanted):
            lost = f"{len(wanted) - len(rows)} of the {len(wanted)} rows that the Trainer answered aren't in `examples`"
            found = found.model_copy(update={"problems": [lost]})
        checks, probed = [found, _size(model_dir, limits), *_weights(model_dir)], None
        if rows:
            answered, probed = _ask(model_dir, rows, settings.text, predictions, transform_graph, limits)
            checks += answered
        report = ReleaseReport(
            verdict="failed" if any(check.problems for check in checks) else "passed",
            checks=checks,
            model=model_dir,
            load_seconds=probed.load_seconds if probed else None,
            tensorflow=probed.tensorflow if probed else "",
        )
        for problem in report.problems:
            _log.error("release gate: %s", problem)
        write_report(report, artifact_utils.get_single_instance(output_dict[REPORT_KEY]))
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        write_blessing(blessing, [*_audit_problems(input_dict), *report.problems])


def _ask(
    model_dir: str,
    rows: Sequence[RealRow],
    columns: Sequence[str],
    predictions: Predictions,
    transform_graph: str,
    limits: ReleaseLimits,
) -> tuple[list[Check], Probed | None]:
    asked = [*serving_questions(rows, columns), *other_questions(rows, bool(predictions.classes))]
    try:
        with tempfile.TemporaryDirectory() as folder:
            local = model_dir
            if "://" in model_dir:
                # The process has no credentials, and no file systems but TensorFlow's.
                local = os.path.join(folder, "model")
                io_utils.copy_dir(model_dir, local)
            questions = [each.question for each in asked]
            probed = probe(local, questions, timed_questions(rows, columns), limits.timeout_seconds)
    except ProbeFailed as failure:
        problem = f"the exported model can't be asked in a process with TensorFlow and tensorflow-text only: {failure}"
        return [Check(name="process", problems=[problem])], None
    order = _label_order(transform_graph) if predictions.classes else []
    return [Check(name="process"), *check_answers(asked, probed, predictions.classes, order, limits)], probed


def _label_order(transform_graph: str) -> list[int]:
    """The place of each of Transform's classes in the exported model's order."""
    labels = tft.TFTransformOutput(transform_graph).vocabulary_by_name(LABEL_VOCABULARY)
    classes = in_class_order(labels)
    return [classes.index(label) for label in labels]


def _size(model_dir: str, limits: ReleaseLimits) -> Check:
    files = [os.path.join(folder, name) for folder, _, names in tf.io.gfile.walk(model_dir) for name in names]
    size = sum(tf.io.gfile.stat(file).length for file in files) / _MB
    problems = []
    if limits.max_size_mb is not None and size > limits.max_size_mb:
        problems = [f"the exported model has {size:.3g} MB; release_gate.max_size_mb allows {limits.max_size_mb:g}"]
    return Check(name="size in MB", measured=size, limit=limits.max_size_mb, problems=problems)


def _weights(model_dir: str) -> list[Check]:
    """Whether all weights are finite, also those that no question reaches; nothing of a model that can't be read."""
    try:
        spoilt = SavedWeights(model_dir).not_finite()
    except Unreadable:
        return []  # loading it fails as well, or it has no weights
    problems = [f"the exported model has weights that are NaN or infinite: {listed(spoilt)}"] if spoilt else []
    return [Check(name="weights", problems=problems)]


def _audit_problems(input_dict: dict[str, list[Artifact]]) -> list[str]:
    if not input_dict.get(AUDIT_BLESSING_KEY):
        return []
    audited = artifact_utils.get_single_instance(input_dict[AUDIT_BLESSING_KEY])
    if model_utils.is_infra_validated(audited):
        return []
    return [audited.get_string_custom_property(REASON) or "FreezeAudit withheld its blessing"]


def _read_predictions(model_run: str) -> Predictions:
    file = os.path.join(model_run, PREDICTIONS_FILE)
    if not fileio.exists(file):
        raise UserError(
            f"model_run: there is no {file}; give ReleaseGate the `model_run` of a Trainer with "
            'run_fn="trainer_module.run_fn"'
        )
    with fileio.open(file) as stream:
        return Predictions.model_validate_json(stream.read())
