"""What is written down of a run in ML Metadata: custom properties of its context."""

import json
import logging
from collections.abc import Mapping
from typing import Any, get_args

from ml_metadata import MetadataStore, errors
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.run_outcome import Outcome

RUN_TYPE = "pipeline_run"
"""TFX's type of the context that all of a run's executions share; its name is the run's id."""

_OUTCOME = "outcome"
_SUMMARY = "summary"

_log = logging.getLogger("permafrost.run_record")


def record_outcome(store: MetadataStore, run_id: str, outcome: Outcome, summary: Mapping[str, Any]) -> None:
    """Writes down how a run ended. Where that can't be, it ended all the same: there is a warning.

    Args:
        store: ML Metadata.
        run_id: TFX's; empty where no component started: then nothing is written.
        outcome: See `Outcome`.
        summary: `RunResult.to_json`, or of a failure `error`, and `component` where one failed.
    """
    try:
        run = store.get_context_by_type_and_name(RUN_TYPE, run_id) if run_id else None
        if run is None:
            return
        run.custom_properties[_OUTCOME].string_value = outcome
        run.custom_properties[_SUMMARY].string_value = json.dumps(summary)
        store.put_contexts([run])
    except (errors.StatusError, RuntimeError) as error:
        # After the reason comes the statement, with all of the summary in it.
        reason = str(error).removeprefix("Error when executing query: ").partition(" query:")[0]
        _log.warning("how run %s ended can't be written into ML Metadata: %s", run_id, reason)


def failure_summary(error: BaseException, component: str = "") -> dict[str, str]:
    """The `summary` of a run that an error ended."""
    return {"error": str(error) or type(error).__name__, **({"component": component} if component else {})}


def outcome_of(run: mlmd.Context) -> Outcome | None:
    """None where nothing was written down: the run goes on, was killed, or is of an earlier release."""
    told = run.custom_properties[_OUTCOME].string_value if _OUTCOME in run.custom_properties else ""
    return told if told in get_args(Outcome) else None  # type: ignore[return-value]


def summary_of(run: mlmd.Context) -> dict[str, Any]:
    """What `record_outcome` was given; empty where nothing was written down."""
    text = run.custom_properties[_SUMMARY].string_value if _SUMMARY in run.custom_properties else ""
    summary: dict[str, Any] = json.loads(text) if text else {}
    return summary
