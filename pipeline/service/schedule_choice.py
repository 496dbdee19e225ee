"""Which schedule a person means."""

import difflib
from collections.abc import Sequence

from pipeline.service.orders import Schedule
from trainer_module.errors import UserError


def choose_schedule(given: str, schedules: Sequence[Schedule]) -> Schedule:
    """The schedule with this id or name.

    Raises:
        UserError: There is none, or the name is that of several.
    """
    chosen = [schedule for schedule in schedules if given in (schedule.id, schedule.name)]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise UserError(f"schedule {given!r}: several have this name; say which: {', '.join(s.id for s in chosen)}")
    names = sorted({schedule.name for schedule in schedules})
    near = difflib.get_close_matches(given, [*names, *(schedule.id for schedule in schedules)], n=1)
    if near:
        raise UserError(f"schedule {given!r}: there is none; did you mean {near[0]!r}?")
    known = f"; there are: {', '.join(names)}" if names else ", nor another"
    raise UserError(f"schedule {given!r}: there is none{known}")


def refuse_second(name: str, pipeline: str, schedules: Sequence[Schedule]) -> None:
    """Makes sure that a pipeline doesn't get two schedules of the same name: it would run twice each time.

    Raises:
        UserError: It has one.
    """
    for schedule in schedules:
        if (schedule.name, schedule.pipeline or pipeline) == (name, pipeline) and schedule.state != "completed":
            raise UserError(
                f"schedule {name!r}: {pipeline} has one already ({schedule.id}, {schedule.cron!r}, {schedule.state}); "
                f"delete it, or give this one another --name"
            )
