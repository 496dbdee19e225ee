"""What a finished run amounts to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_transform as tft

from components import artifacts
from components.artifact_properties import REASON
from components.data_gate.report import GateReport
from components.example_gen.spans_read import SpansRead
from components.freeze_audit.audit_files import audit_file
from components.release_gate.report import ReleaseReport, report_file
from pipeline.evaluation import Evaluation, read_evaluation
from pipeline.run_metadata import RunMetadata, int_property, string_property
from pipeline.run_outcome import Outcome
from trainer_module.audit.audit_record import AuditRecord
from trainer_module.features import LABEL_VOCABULARY, in_class_order
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.start_record import StartRecord, read_start
from trainer_module.trainer import PLAN_FILE


@dataclass(frozen=True)
class RunResult:
    """The outcome of one run of the pipeline.

    Attributes:
        blessed: Whether Evaluator blessed the model.
        pushed_model: The folder of the version that was pushed; None when nothing was.
        not_pushed_because: Pusher's reason; empty when something was pushed.
        was_live: Whether the version that was pushed was there before this run.
        evaluation: Metrics and missed thresholds.
        plan: What was frozen.
        data_gate: What DataGate found, and let pass.
        audit: Whether that is so in the exported model.
        release: What ReleaseGate found when it asked the exported model.
        seconds: By component.
        cached: Components that were skipped because nothing they depend on changed.
        run_dir: Artifacts, metadata and logs.
        log_file: Of this run.
        spans: Which spans were read; None where the paths hold none.
        start: With which weights training began; None where `train.start_from` is `hub`.
    """

    blessed: bool
    pushed_model: str | None
    evaluation: Evaluation
    plan: FreezePlan
    data_gate: GateReport
    audit: AuditRecord
    release: ReleaseReport
    seconds: Mapping[str, float]
    cached: frozenset[str]
    run_dir: str
    log_file: str
    spans: SpansRead | None = None
    start: StartRecord | None = None
    not_pushed_because: str = ""
    was_live: bool = False

    @property
    def warnings(self) -> list[str]:
        """What DataGate let pass, and remarks on how the model predicts."""
        return [*self.data_gate.warnings, *self.evaluation.warnings]

    @property
    def outcome(self) -> Outcome:
        """See `run_outcome.Outcome`."""
        if not self.blessed or self.pushed_model is None:
            return "not_blessed"
        return "unchanged" if self.was_live else "pushed"

    def to_json(self) -> dict[str, Any]:
        """The object that `permafrost run --json` prints."""
        return {
            "outcome": self.outcome,
            "blessed": self.blessed,
            "pushed_model": self.pushed_model,
            **({"not_pushed_because": self.not_pushed_because} if self.not_pushed_because else {}),
            **({} if self.blessed else {"not_blessed_because": list(self.evaluation.missed)}),
            "metrics": dict(self.evaluation.metrics),
            **({"warnings": self.warnings} if self.warnings else {}),
            "audit": self.audit.verdict,
            "release_gate": self.release.verdict,
            "freeze": {"frozen_params": self.plan.frozen_params, "trainable_params": self.plan.trainable_params},
            "seconds": {name: round(seconds, 2) for name, seconds in self.seconds.items()},
            "run_dir": self.run_dir,
            **({} if self.start is None else {"start": self.start.model_dump()}),
            **({} if self.spans is None else {"span": self.spans.last_span, **self.spans.model_dump()}),
        }


def read_result(run: RunMetadata, seconds: Mapping[str, float], run_dir: str, log_file: str) -> RunResult:
    """Collects the outcome of a run that came to its end.

    Args:
        run: Of ML Metadata.
        seconds: By component.
        run_dir: See `RunResult`.
        log_file: See `RunResult`.
    """
    blessing = run.output("Evaluator", "ModelBlessing")
    pushed = run.output("Pusher", "PushedModel")
    examples = run.output("ExampleGen", "Examples")
    destination = string_property(pushed, "pushed_destination") if pushed else ""
    return RunResult(
        blessed=blessing is not None and int_property(blessing, "blessed") == 1,
        pushed_model=destination or None,
        evaluation=read_evaluation(_uri(run, "Evaluator", "ModelEvaluation"), _labels(run)),
        plan=FreezePlan.from_json(Path(_uri(run, "Trainer", "ModelRun"), PLAN_FILE).read_text(encoding="utf-8")),
        data_gate=GateReport.read(_uri(run, "DataGate", artifacts.DataGateReport.TYPE_NAME)),
        audit=read_audit(run),
        release=_read_release(run),
        seconds=seconds,
        cached=frozenset(component for component in seconds if run.is_cached(component)),
        run_dir=run_dir,
        log_file=log_file,
        spans=SpansRead.of(examples) if examples else None,
        start=read_start(_uri(run, "Trainer", "ModelRun")),
        not_pushed_because=string_property(pushed, REASON) if pushed else "",
        was_live=bool(pushed and destination) and run.was_pushed_before(pushed),
    )


def read_audit(run: RunMetadata) -> AuditRecord:
    """What FreezeAudit found in a run that came to its end."""
    file = audit_file(_uri(run, "FreezeAudit", artifacts.FreezeAudit.TYPE_NAME))
    return AuditRecord.from_json(Path(file).read_text(encoding="utf-8"))


def _read_release(run: RunMetadata) -> ReleaseReport:
    file = report_file(_uri(run, "ReleaseGate", artifacts.ReleaseReport.TYPE_NAME))
    return ReleaseReport.model_validate_json(Path(file).read_bytes())


def _uri(run: RunMetadata, component: str, type_name: str) -> str:
    artifact = run.output(component, type_name)
    if artifact is None:
        raise RuntimeError(f"{component} left no {type_name} in ML Metadata")
    return str(artifact.uri)


def _labels(run: RunMetadata) -> list[str]:
    transform = tft.TFTransformOutput(_uri(run, "Transform", "TransformGraph"))
    path = transform.vocabulary_file_by_name(LABEL_VOCABULARY)
    if not path or not os.path.exists(path):
        return []
    labels = in_class_order(transform.vocabulary_by_name(LABEL_VOCABULARY))
    return [label.decode("utf-8", "replace") for label in labels]
