"""Reads a cron expression, so that a slip is found before a scheduler refuses it, or takes it for something else."""

import re
import zoneinfo
from collections.abc import Mapping

from trainer_module.errors import UserError
from trainer_module.validation import shortened

_MOST_DIGITS = 4
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def check_cron(expression: str, option: str = "--cron") -> None:
    """Lets five fields through, with or without a time zone before them.

    Args:
        expression: `minute hour day month weekday`, such as `0 3 * * MON-FRI`, or `TZ=Europe/Berlin 0 3 * * *`.
        option: What it was given by, for the message.

    Raises:
        UserError: It is something else; with what is wrong in each field.
    """
    zone, fields = split_zone(expression)
    problems = []
    if zone is not None and zone not in zoneinfo.available_timezones():
        problems.append(f"{option}: {shortened(repr(zone))} is no time zone; write one as in TZ=Europe/Berlin")
    parts = fields.split()
    if len(parts) != len(_FIELDS):
        problems.append(
            f"{option}: should have 5 fields: minute, hour, day, month, weekday, as in '0 3 * * *'; "
            f"given {shortened(repr(expression))}"
        )
    else:
        for text, (name, low, high, names) in zip(parts, _FIELDS, strict=True):
            # Each reason once, however many items of a field it is about.
            reasons = dict.fromkeys(_reasons(text, low, high, names))
            problems += [f"{option}: {shortened(repr(text))} is no {name}: {reason}" for reason in reasons]
    if problems:
        raise UserError(problems)


def split_zone(expression: str) -> tuple[str | None, str]:
    """The time zone of an expression, if it names one, and its fields."""
    parts = re.fullmatch(r"(?:CRON_)?TZ=(\S*)\s+(.*)", expression.strip())
    return (parts[1], parts[2]) if parts else (None, expression.strip())


def cron_values(fields: str) -> tuple[tuple[int, ...], ...]:
    """Each field's values: minutes, hours, days, months, weekdays (0 is Sunday).

    Args:
        fields: Five of them, which `check_cron` let through.

    Example:
        >>> cron_values("*/20 3-5 1 * FRI")[:2]
        ((0, 20, 40), (3, 4, 5))
    """
    return tuple(_values(text, *field[1:]) for text, field in zip(fields.split(), _FIELDS, strict=True))


def _values(field: str, low: int, high: int, names: Mapping[str, int]) -> tuple[int, ...]:
    values: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        start, end = (low, high) if first == "*" else (_number(first, names), _number(last or first, names))
        # `5/15` begins at 5 and has no end of its own.
        end = high if step and not last else end
        values.update(range(start, end + 1, int(step or 1)))
    return tuple(sorted(values))


def _number(text: str, names: Mapping[str, int]) -> int:
    """The number that a name or digits stand for; -1 for anything else."""
    if text.upper() in names:
        return names[text.upper()]
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else -1


def _reasons(field: str, low: int, high: int, names: Mapping[str, int]) -> list[str]:
    """What is wrong with one field: a list of `*`, `a`, `a-b`, each with `/step` or without."""
    reasons = []
    for item in field.split(","):
        parts = re.fullmatch(r"(?:\*|([A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?)(?:/([0-9]+))?", item)
        if parts is None:
            reasons.append(f"write numbers from {low} to {high}, '*', ranges (1-5) and steps (*/15)")
            continue
        ends = [_number(end, names) for end in parts.group(1, 2) if end is not None]
        step = 1 if parts[3] is None else _number(parts[3], {})
        if any(not low <= end <= high for end in ends):
            reasons.append(f"its values go from {low} to {high}")
        elif len(ends) == 2 and ends[0] > ends[1]:
            reasons.append("the range goes backwards")
        elif step == 0:
            reasons.append("a step of 0 never moves on")
        elif step < 0:
            reasons.append(f"a step has {_MOST_DIGITS} digits at most")
    return reasons
