"""`permafrost schedule` and its verbs."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import AsJson, CompiledJob, ConfigFile, DryRun, Overrides, Parameters, Target
from trainer_module.errors import UserError

schedule = typer.Typer(no_args_is_help=True)

ScheduleName = Annotated[str, typer.Argument(metavar="SCHEDULE", help="A schedule's name or id, as `list` shows it.")]


@schedule.callback(invoke_without_command=True)
def schedule_create(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="A pipeline's TOML file.")] = None,
    cron: Annotated[
        str | None, typer.Option(help="MINUTE HOUR DAY MONTH WEEKDAY; on Vertex AI TZ=Europe/Berlin may stand before.")
    ] = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    target: Target = None,
    job: CompiledJob = None,
    parameters: Parameters = [],  # noqa: B006
    name: Annotated[str | None, typer.Option(help="Of the schedule; default: the pipeline's name.")] = None,
    start: Annotated[str | None, typer.Option(help="No run before, such as 2026-01-31T03:00+01:00.")] = None,
    end: Annotated[str | None, typer.Option(help="No run after.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Run the pipeline by the clock on Vertex AI or Kubeflow Pipelines, one run at a time.

    Example: permafrost schedule --config configs/vertex.toml --cron "0 3 * * *"
    """
    from pipeline.cli.schedule import create_command

    if (verb := context.invoked_subcommand) is not None:
        if any((config, cron, overrides, target, job, parameters, name, start, end, dry_run)):
            raise UserError(f"schedule: write the options behind {verb}: permafrost schedule {verb} …")
        return
    if config is None or cron is None:
        raise UserError("schedule: give --config FILE and --cron '0 3 * * *'; or say list, pause, resume or delete")
    create_command(config, overrides, target, job, cron, parameters, name, start, end, dry_run=dry_run)


@schedule.command("list")
def schedule_list(
    config: ConfigFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    target: Target = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those of other pipelines.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the pipeline's schedules."""
    from pipeline.cli.schedule import list_command

    list_command(config, overrides, target, everything, as_json)


@schedule.command("pause")
def schedule_pause(
    name: ScheduleName,
    config: ConfigFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    target: Target = None,
) -> None:
    """Start no more runs until it is resumed; those that run go on."""
    from pipeline.cli.schedule import change_command

    change_command("pause", name, config, overrides, target)


@schedule.command("resume")
def schedule_resume(
    name: ScheduleName,
    config: ConfigFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    target: Target = None,
    catch_up: Annotated[bool, typer.Option("--catch-up", help="Make up for the runs missed; only Vertex AI.")] = False,
) -> None:
    """Start runs again."""
    from pipeline.cli.schedule import change_command

    change_command("resume", name, config, overrides, target, catch_up=catch_up)


@schedule.command("delete")
def schedule_delete(
    name: ScheduleName,
    config: ConfigFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    target: Target = None,
) -> None:
    """Forget a schedule; runs that it started go on."""
    from pipeline.cli.schedule import change_command

    change_command("delete", name, config, overrides, target)
