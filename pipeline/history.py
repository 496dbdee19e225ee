"""Every run and rollback of a pipeline, as ML Metadata tells it."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.utils import json_utils

from components.example_gen.spans_read import SpansRead
from pipeline.config import PipelineConfig
from pipeline.metadata_connection import metadata_connection
from pipeline.metadata_store import open_store
from pipeline.pushes import Push, pushes, rollback_obstacles
from pipeline.rollback_record import rollbacks
from pipeline.run_lock import is_held
from pipeline.run_metadata import RunMetadata, int_property, string_property
from pipeline.run_record import RUN_TYPE, Outcome, outcome_of, summary_of
from trainer_module.freezing.freeze_rules import parse_rules

Ended = Outcome | Literal["running", "killed", "rolled_back"]
"""`running`: it holds the lock. `killed`: nobody wrote down its end. `rolled_back`: it is no run but a rollback."""


@dataclass(frozen=True)
class PastRun:
    """One run, or one rollback.

    Attributes:
        run_id: TFX's id of the run; a rollback's context.
        started: When.
        outcome: See `Ended`.
        reason: Why nothing was pushed; or which version a rollback went back to.
        spans: That were read; None where the paths hold none, or none were read.
        rules: The freeze rules in their short form.
        metrics: Of Evaluator; empty where it didn't get that far.
        blessed: Whether Evaluator blessed the model; None where it didn't get that far.
        version: That is in the serving folder because of it; None: none.
        is_live: Whether that version is live.
        is_withdrawn: Whether its model was rolled back.
        can_roll_back: Whether a rollback can go back to that version, as far as names and sizes of files tell.
        no_rollback_because: Why it can't; empty where it can, or where there is no version, or it is live.
    """

    run_id: str
    started: datetime
    outcome: Ended
    reason: str = ""
    spans: SpansRead | None = None
    rules: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    blessed: bool | None = None
    version: str | None = None
    is_live: bool = False
    is_withdrawn: bool = False
    can_roll_back: bool = False
    no_rollback_because: str = ""

    def to_json(self) -> dict[str, Any]:
        """One of the objects that `permafrost history --json` prints."""
        spans = None if self.spans is None else self.spans.model_dump()
        return asdict(self) | {"started": self.started.isoformat(), "spans": spans, "rules": list(self.rules)}


def read_history(config: PipelineConfig, limit: int | None = None) -> list[PastRun]:
    """All that a pipeline did, the newest first.

    Args:
        config: With absolute paths.
        limit: No more than so many.

    Raises:
        UserError: The metadata database can't be read.
    """
    connection = metadata_connection(config)
    if connection.HasField("sqlite") and not os.path.exists(connection.sqlite.filename_uri):
        return []
    store, name = open_store(connection), config.pipeline.name
    pushed = pushes(store, name)
    versions = {push.version: push for push in pushed}
    told = [_rollback(context, summary, versions) for context, summary in rollbacks(store, name)]
    runs = sorted(_runs(store, name), key=lambda run: run.id, reverse=True)[:limit]
    for run in runs:
        goes_on = run is runs[0] and is_held(config.pipeline.root)
        told.append(_run(RunMetadata(store, name, run.name), run, versions, goes_on=goes_on))
    newest = sorted(told, key=lambda each: each.started, reverse=True)[:limit]
    shown = [each.version for each in newest if each.version is not None and not each.is_live]
    obstacles = rollback_obstacles(store, pushed, shown, read=False)
    return [
        replace(each, can_roll_back=not obstacle, no_rollback_because=obstacle)
        if (obstacle := obstacles.get(each.version or "")) is not None
        else each
        for each in newest
    ]


def _runs(store: MetadataStore, pipeline_name: str) -> list[mlmd.Context]:
    """The pipeline's own of all runs in the database; TFX connects the two by their executions only."""
    pipeline = store.get_context_by_type_and_name("pipeline", pipeline_name)
    if pipeline is None:
        return []
    own = {execution.id for execution in store.get_executions_by_context(pipeline.id)}
    return [
        run
        for run in store.get_contexts_by_type(RUN_TYPE)
        if any(execution.id in own for execution in store.get_executions_by_context(run.id))
    ]


def _run(run: RunMetadata, context: mlmd.Context, versions: Mapping[str, Push], *, goes_on: bool) -> PastRun:
    summary = summary_of(context)
    examples = run.output("ExampleGen", "Examples")
    blessing = run.output("Evaluator", "ModelBlessing")
    pushed = run.output("Pusher", "PushedModel")
    version = string_property(pushed, "pushed_version") if pushed else ""
    push = versions.get(version)
    return PastRun(
        run_id=context.name,
        started=_time(context),
        outcome=_outcome(context, summary, pushed, goes_on),
        reason=_reason(summary, pushed),
        spans=SpansRead.of(examples) if examples else None,
        rules=_rules(run),
        metrics=summary.get("metrics", {}),
        blessed=int_property(blessing, "blessed") == 1 if blessing else None,
        version=version or None,
        is_live=push is not None and push.is_live,
        is_withdrawn=push is not None and push.is_withdrawn,
    )


def _rollback(context: mlmd.Context, summary: Mapping[str, str], versions: Mapping[str, Push]) -> PastRun:
    push = versions.get(summary["version"])
    return PastRun(
        run_id=context.name,
        started=_time(context),
        outcome="rolled_back",
        reason=f"from version {summary['from_version']} to the model of version {summary['to_version']}",
        version=summary["version"],
        is_live=push is not None and push.is_live,
        is_withdrawn=push is not None and push.is_withdrawn,
    )


def _outcome(context: mlmd.Context, summary: Mapping[str, Any], pushed: mlmd.Artifact | None, goes_on: bool) -> Ended:
    told = outcome_of(context)
    if told is not None:
        return "killed" if summary.get("killed") else told
    if goes_on:
        return "running"
    if pushed is None:
        return "killed"
    # It came to its end; an earlier release didn't say so.
    return "pushed" if int_property(pushed, "pushed") else "not_blessed"


def _reason(summary: Mapping[str, Any], pushed: mlmd.Artifact | None) -> str:
    if "error" in summary:
        component = summary.get("component")
        told = summary["error"]
        return f"{component}: {told}" if component and component not in told else told
    missed = "; ".join(summary.get("not_blessed_because", []))
    return missed or (string_property(pushed, "reason") if pushed else "")


def _rules(run: RunMetadata) -> tuple[str, ...]:
    text = run.exec_property("FreezePlanner", "custom_config")
    bert = json_utils.loads(text).get("bert", {}) if text else {}
    return tuple(str(rule) for rule in parse_rules(bert.get("freeze", [])))


def _time(context: mlmd.Context) -> datetime:
    return datetime.fromtimestamp(context.create_time_since_epoch / 1000, timezone.utc)
