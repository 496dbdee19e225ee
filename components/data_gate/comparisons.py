"""Drift from the rows that the live model was trained on, and skew between training and evaluation rows."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from components.data_gate.distances import (
    Distance,
    label_distance,
    text_length_distance,
    unknown_token_distance,
    vocabulary_distance,
)
from components.data_gate.report import Finding, GateReport
from components.data_gate.settings import AtMost, DataGateSettings
from components.data_profile.profile import ProfileRecord, SplitProfile

TRAIN = "train"
EVAL = "eval"


class _Measure(NamedTuple):
    distance: Callable[[SplitProfile, SplitProfile], Distance | None]
    of: str
    unit: str
    by_tokenizer: bool


_MEASURES = {
    "label": _Measure(label_distance, "labels", "largest difference in share", False),
    "text_length": _Measure(text_length_distance, "text lengths", "Jensen-Shannon divergence", True),
    "vocabulary": _Measure(vocabulary_distance, "word pieces", "Jensen-Shannon divergence", True),
    "unknown_token": _Measure(unknown_token_distance, "unknown word pieces", "difference in share", True),
}


def find_skew(profile: ProfileRecord, settings: DataGateSettings) -> GateReport:
    """The evaluation rows against the training rows of the same run."""
    if not {TRAIN, EVAL} <= profile.splits.keys():
        return GateReport(findings=[], notes=["skew: there are not both training and evaluation rows"])
    train, evaluation = profile.splits[TRAIN], profile.splits[EVAL]
    if note := _too_few("skew: the train and eval rows", train.rows, evaluation.rows, settings):
        return GateReport(findings=[], notes=[note])
    return GateReport(findings=list(_compare(train, evaluation, settings, "skew", EVAL, "the train rows")))


def find_drift(profile: ProfileRecord, live: ProfileRecord, settings: DataGateSettings) -> GateReport:
    """Each split against the same split of the live model's run."""
    findings: list[Finding] = []
    notes = []
    comparable = live.tokenizer == profile.tokenizer
    if not comparable:
        notes.append("drift: the live model has another tokenizer; text lengths and word pieces are not compared")
    for split, after in profile.splits.items():
        before = live.splits.get(split)
        if before is None:
            notes.append(f"drift: the live model's run had no {split} rows")
        elif note := _too_few(
            f"drift: the live model's and this run's {split} rows", before.rows, after.rows, settings
        ):
            notes.append(note)
        else:
            reference = f"the live model's {split} rows"
            findings += _compare(before, after, settings, "drift", split, reference, with_tokens=comparable)
    return GateReport(findings=findings, notes=notes)


def _too_few(what: str, before: int, after: int, settings: DataGateSettings) -> str | None:
    if min(before, after) >= settings.compare_from_rows:
        return None
    return (
        f"{what} are too few to compare: {before:,} and {after:,}; "
        f"data_gate.compare_from_rows = {settings.compare_from_rows}"
    )


def _compare(
    before: SplitProfile,
    after: SplitProfile,
    settings: DataGateSettings,
    kind: str,
    split: str,
    reference: str,
    with_tokens: bool = True,
) -> Iterator[Finding]:
    for name, measure in _MEASURES.items():
        check = f"{name}_{kind}"
        limit: AtMost = getattr(settings, check)
        if limit.action == "off" or (measure.by_tokenizer and not with_tokens):
            continue
        found = measure.distance(before, after)
        if found is None:
            continue
        passed = found.value <= limit.at_most
        message = (
            f"data_gate.{check}: the {measure.of} of the {split} rows differ from those of {reference} by "
            f"{found.value:.3f} ({measure.unit}); at most {limit.at_most:g} is allowed; {found.changes}"
        )
        if not passed:
            message += f'; if that is as it should be, set data_gate.{check}.action = "{_milder(limit)}"'
        yield Finding(
            check=check,
            split=split,
            outcome="passed" if passed else limit.action,
            value=found.value,
            limit=limit.at_most,
            message=message,
        )


def _milder(limit: AtMost) -> str:
    return "warn" if limit.action == "stop" else "off"
