"""`python -m chaos`: all of `make chaos`, or the parts that are named."""

import shutil
import tempfile
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chaos.faults import FAULTS, NEED_DISKS
from chaos.kills import survive_kills
from chaos.project import QUICKSTART_HUB, Project
from chaos.report import Finding, print_report
from chaos.season import Season
from chaos.serving_watch import ServingWatch
from chaos.small_disk import SmallDisk, can_mount

_DISK_MIB = 4096

Part = Enum("Part", {name: name for name in ["kills", *FAULTS]}, type=str)  # type: ignore[misc]


def main(
    parts: Annotated[list[Part] | None, typer.Argument(help="What to try; default: everything.")] = None,
    kills: Annotated[int, typer.Option(help="How often the run is killed.", min=1)] = 30,
    seed: Annotated[int, typer.Option(help="Of the moments at which it is.")] = 0,
    hub: Annotated[Path, typer.Option(help="The Hub model; it is copied.", exists=True)] = QUICKSTART_HUB,
) -> None:
    """Runs a pipeline night after night, breaks it in every way it should survive, and prints what survived.

    Example: make chaos ARGS="kills --kills 5"
    """
    console = Console()
    chosen = [part.value for part in parts or list(Part)]
    with tempfile.TemporaryDirectory(prefix="permafrost-chaos-") as folder:
        project = Project(Path(folder), hub=Path(folder, "hub"))
        shutil.copytree(hub, project.hub)
        disks = _disks(project)
        try:
            findings = _try(chosen, project, disks, kills, seed, console)
        finally:
            for disk in disks.values():
                disk.unmount()
    if not print_report(findings, console):
        raise typer.Exit(1)


def _disks(project: Project) -> dict[Path, SmallDisk]:
    if not can_mount():
        return {}
    return {folder: SmallDisk(folder, _DISK_MIB) for folder in (project.state, project.serving)}


def _try(
    chosen: list[str], project: Project, disks: dict[Path, SmallDisk], kills: int, seed: int, console: Console
) -> list[Finding]:
    project.write_config()
    with ServingWatch(project.serving) as watch:
        season = Season(project, watch)
        project.next_night()
        first, problems = season.undisturbed()
        findings = [Finding("nothing", problems, f"the first night took {first.seconds:.0f} s and pushed a model")]
        for part in chosen:
            if findings[-1].problems:
                break
            console.print(f"[bold]{part}[/]")
            if part == "kills":
                findings.append(survive_kills(season, kills, seed, lambda line: console.print(line, highlight=False)))
            elif part in NEED_DISKS and not disks:
                findings.append(Finding(part, [], "needs root, to mount a disk of its own", skipped=True))
            else:
                findings.append(FAULTS[part](season, disks))
            console.print("\n".join([*findings[-1].problems, findings[-1].seen]), markup=False, highlight=False)
    return findings


if __name__ == "__main__":
    typer.run(main)
