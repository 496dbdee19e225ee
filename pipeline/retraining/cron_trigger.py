"""From a cron expression to APScheduler's trigger."""

from datetime import datetime, timezone

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from pipeline.cron import check_cron, cron_values, split_zone
from trainer_module.errors import UserError

_OPTION = "--every"
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def cron_trigger(expression: str, zone: str | None = None) -> BaseTrigger:
    """When cron would run something.

    APScheduler reads cron expressions itself, but counts weekdays from Monday on, knows no step in a range of names,
    and wants both where a day of the month and a weekday are given, while cron runs on either (see crontab(5)).

    Args:
        expression: `minute hour day month weekday`; `TZ=Europe/Berlin` may stand before.
        zone: The time zone where the expression names none; default: this machine's.

    Raises:
        UserError: The expression is wrong, or there is no such day.
    """
    check_cron(expression, _OPTION)
    named, fields = split_zone(expression)
    minutes, hours, days, months, weekdays = cron_values(fields)
    clock = {"minute": _listed(minutes), "hour": _listed(hours), "month": _listed(months), "timezone": named or zone}
    day = {"day": _listed(days)}
    weekday = {"day_of_week": ",".join(_WEEKDAYS[each] for each in weekdays)}
    _, _, day_field, _, weekday_field = fields.split()
    if day_field.startswith("*") or weekday_field.startswith("*"):
        trigger = CronTrigger(**clock, **day, **weekday)
    else:
        trigger = OrTrigger([CronTrigger(**clock, **day), CronTrigger(**clock, **weekday)])
    if trigger.get_next_fire_time(None, datetime.now(timezone.utc)) is None:
        raise UserError(f"{_OPTION}: there is no such day; given {expression!r}")
    return trigger


def _listed(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))
