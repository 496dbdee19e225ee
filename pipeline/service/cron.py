"""Checks a cron expression, so that a slip is found before a service refuses it, or takes it for something else."""

import re
import zoneinfo
from collections.abc import Mapping

from trainer_module.errors import UserError

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


def check_cron(expression: str) -> None:
    """Lets five fields through, with or without a time zone before them.

    Args:
        expression: `minute hour day month weekday`, such as `0 3 * * MON-FRI`, or `TZ=Europe/Berlin 0 3 * * *`.

    Raises:
        UserError: It is something else; with what is wrong in each field.
    """
    zone, fields = split_zone(expression)
    problems = []
    if zone is not None and zone not in zoneinfo.available_timezones():
        problems.append(f"--cron: {zone!r} is no time zone; write one as in TZ=Europe/Berlin")
    parts = fields.split()
    if len(parts) != len(_FIELDS):
        problems.append(
            f"--cron: should have 5 fields: minute, hour, day, month, weekday, as in '0 3 * * *'; given {expression!r}"
        )
    else:
        for text, (name, low, high, names) in zip(parts, _FIELDS, strict=True):
            problems += [f"--cron: {text!r} is no {name}: {reason}" for reason in _reasons(text, low, high, names)]
    if problems:
        raise UserError(problems)


def split_zone(expression: str) -> tuple[str | None, str]:
    """The time zone of an expression, if it names one, and its fields."""
    parts = re.fullmatch(r"(?:CRON_)?TZ=(\S*)\s+(.*)", expression.strip())
    return (parts[1], parts[2]) if parts else (None, expression.strip())


def _reasons(field: str, low: int, high: int, names: Mapping[str, int]) -> list[str]:
    """What is wrong with one field: a list of `*`, `a`, `a-b`, each with `/step` or without."""
    reasons = []
    for item in field.split(","):
        parts = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", item)
        if parts is None:
            reasons.append(f"write numbers from {low} to {high}, '*', ranges (1-5) and steps (*/15)")
            continue
        ends = [names.get(end.upper(), end) for end in parts.group(1, 2) if end is not None]
        numbers = [int(end) for end in ends if str(end).isdecimal()]
        if len(numbers) < len(ends) or any(not low <= number <= high for number in numbers):
            reasons.append(f"its values go from {low} to {high}")
        elif len(numbers) == 2 and numbers[0] > numbers[1]:
            reasons.append("the range goes backwards")
        elif parts[3] is not None and int(parts[3]) == 0:
            reasons.append("a step of 0 never moves on")
    return reasons
