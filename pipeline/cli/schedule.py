"""`permafrost schedule`: a pipeline by the clock, on Vertex AI or Kubeflow Pipelines."""

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.cli.submit import print_request, run_order
from pipeline.cli.terminal import Terminal
from pipeline.config_file import load_config
from pipeline.cron import check_cron
from pipeline.service.compiled_pipeline import Target
from pipeline.service.orders import Schedule, ScheduleOrder
from pipeline.service.schedule_choice import choose_schedule, refuse_second
from pipeline.service.targets import choose_target, compiled, open_service
from trainer_module.errors import UserError

_CHANGES = {"pause": "paused", "resume": "active again", "delete": "deleted"}


def create_command(
    config_file: Path,
    overrides: Sequence[str],
    target: Target | None,
    job: Path | None,
    cron: str,
    parameters: Sequence[str],
    name: str | None,
    start: str | None,
    end: str | None,
    *,
    dry_run: bool,
) -> None:
    """Makes a schedule, one run at a time, and says how it is called.

    Args:
        cron: Five fields, and `TZ=…` before them where the service can.
        parameters: `name=value`, each; for every run.
        name: Of the schedule; default: the pipeline's name.
        start: ISO 8601; no run before.
        end: ISO 8601; no run after.
        dry_run: Print the request as JSON and send nothing.

    Raises:
        UserError: The config, the file, a parameter, a time, or what the service refuses.
        ServiceFailed: The service can't be reached, or failed.
    """
    check_cron(cron)
    first, last = _moment("--start", start), _moment("--end", end)
    if first is not None and last is not None and last <= first:
        raise UserError("--end: is not after --start")
    config = load_config(config_file, overrides)
    chosen = choose_target(config, target)
    terminal = Terminal.open()
    terminal.hide_noise()
    service = open_service(config, chosen)
    with compiled(config, chosen, job) as pipeline:
        order = ScheduleOrder(run_order(pipeline, parameters, name), cron, first, last)
        if dry_run:
            print_request(terminal, service.schedule_request(order))
            return
        refuse_second(order.run.name, pipeline.name, service.schedules())
        made = service.create_schedule(order)
    when = f"; next run {_local(made.next_run)}" if made.next_run else ""
    terminal.out.print(
        f"scheduled on {service.title}: {made.name} ({made.id}), {made.cron}{when}", markup=False, soft_wrap=True
    )


def list_command(
    config_file: Path, overrides: Sequence[str], target: Target | None, everything: bool, as_json: bool
) -> None:
    """Prints the schedules of the config's pipeline.

    Args:
        everything: Also those of other pipelines in the same place.
        as_json: One line of JSON instead of a table.
    """
    config = load_config(config_file, overrides)
    chosen = choose_target(config, target)
    terminal = Terminal.open()
    terminal.hide_noise()
    service = open_service(config, chosen)
    found = [
        schedule for schedule in service.schedules() if everything or schedule.pipeline in ("", config.pipeline.name)
    ]
    if as_json:
        terminal.print_json([_as_json(schedule) for schedule in found])
    elif found:
        _print_table(terminal.out, found)
    else:
        terminal.out.print(f"{service.title} has no schedule for {config.pipeline.name}", markup=False)


def change_command(
    change: Literal["pause", "resume", "delete"],
    schedule: str,
    config_file: Path,
    overrides: Sequence[str],
    target: Target | None,
    *,
    catch_up: bool = False,
) -> None:
    """Pauses, resumes or deletes a schedule.

    Args:
        schedule: Its id or name.
        catch_up: With `resume`: make up for runs that were missed.

    Raises:
        UserError: There is no such schedule.
    """
    config = load_config(config_file, overrides)
    chosen = choose_target(config, target)
    terminal = Terminal.open()
    terminal.hide_noise()
    service = open_service(config, chosen)
    found = choose_schedule(schedule, service.schedules())
    if change == "pause":
        service.pause(found)
    elif change == "resume":
        service.resume(found, catch_up)
    else:
        service.delete(found)
    terminal.out.print(f"{found.name} ({found.id}): {_CHANGES[change]}", markup=False, soft_wrap=True)


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # Python 3.10 doesn't know the Z.
        moment = datetime.fromisoformat(text.removesuffix("Z") + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        raise UserError(f"{option}: is no time; write it as in 2026-01-31T03:00+01:00; given {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _print_table(out: Console, schedules: Sequence[Schedule]) -> None:
    table = Table("schedule", "id", "pipeline", "cron", "state", "next run", "parameters")
    for schedule in schedules:
        values = ", ".join(f"{name}={value}" for name, value in sorted(schedule.values.items()))
        cells = (schedule.name, schedule.id, schedule.pipeline, schedule.cron, schedule.state)
        next_run = _local(schedule.next_run) if schedule.next_run else ""
        table.add_row(*(escape(cell) for cell in cells), next_run, escape(values))
    out.print(table)


def _as_json(schedule: Schedule) -> dict[str, object]:
    return {
        "id": schedule.id,
        "name": schedule.name,
        "pipeline": schedule.pipeline,
        "cron": schedule.cron,
        "state": schedule.state,
        "parameters": dict(schedule.values),
        "next_run": schedule.next_run.isoformat() if schedule.next_run else None,
    }


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
