"""`python -m benchmarks.freeze_study`: makes what is missing of the study, then prints its table."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

README = Path(__file__).resolve().parents[2] / "README.md"


def main(
    readme: Annotated[bool, typer.Option("--readme", help="Put the table into README.md.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Make every run again.")] = False,
    only_table: Annotated[bool, typer.Option("--only-table", help="Make no run.")] = False,
) -> None:
    """Trains and measures every amount of freezing on every data set with every seed.

    Each run is kept as soon as it is done, in results.json: a study that was stopped goes on where it was. A run
    during which the machine was busy elsewhere counts for its accuracy, not for its seconds.

    Example: make freeze-study ARGS=--readme
    """
    from benchmarks.freeze_study.study import make_missing_runs, stored_runs
    from benchmarks.freeze_study.table import render, write_into

    console = Console()
    if not only_table:
        for run in make_missing_runs([] if anew else stored_runs()):
            disturbed = "" if run.undisturbed else f" ({run.busy_elsewhere:.0%} of the machine was busy elsewhere)"
            console.print(
                f"{run.data_set}, {run.level} frozen, seed {run.seed}: accuracy {run.accuracy:.3f}, "
                f"{run.seconds:.0f} s{disturbed}"
            )
    table = render(stored_runs())
    console.print(table, markup=False, soft_wrap=True)
    if readme:
        write_into(README, table)


if __name__ == "__main__":
    typer.run(main)
