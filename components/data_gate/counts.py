"""Whether there are enough rows and classes to train on."""

from collections.abc import Iterator

from components.data_gate.report import Finding
from components.data_gate.settings import AtLeast, DataGateSettings
from components.data_profile.profile import SplitProfile

_NAMED = 10


def count_rows(train: SplitProfile, settings: DataGateSettings) -> Iterator[Finding]:
    """Rows, classes, and rows of the rarest classes, among the training rows."""
    yield from _finding("min_rows", settings.min_rows, train.rows, f"there are {train.rows:,} train rows")
    if not train.labels:
        return
    classes = len(train.labels)
    yield from _finding("min_classes", settings.min_classes, classes, f"the train rows have {classes} classes")
    limit = settings.min_rows_per_class
    rare = sorted((rows, label) for label, rows in train.labels.items() if rows < limit.at_least)
    named = ", ".join(f"{label!r} ({rows} rows)" for rows, label in rare[:_NAMED])
    more = f" and {len(rare) - _NAMED} more" if len(rare) > _NAMED else ""
    text = f"too few train rows of {named}{more}" if rare else "each class has enough train rows"
    yield from _finding("min_rows_per_class", limit, min(train.labels.values()), text)


def _finding(check: str, limit: AtLeast, value: int, text: str) -> Iterator[Finding]:
    if limit.action == "off":
        return
    passed = value >= limit.at_least
    advice = "" if passed else "; bring more rows, or lower it"
    yield Finding(
        check=check,
        split="train",
        outcome="passed" if passed else limit.action,
        value=value,
        limit=limit.at_least,
        message=f"data_gate.{check}: {text}; at least {limit.at_least:,} are required{advice}",
    )
