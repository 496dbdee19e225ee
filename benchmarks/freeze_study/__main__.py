"""`python -m benchmarks.freeze_study`: makes what is missing of the study, then prints its table."""

import multiprocessing
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.freeze_study.design import LEVELS
from pipeline.cli.terminal import Terminal
from trainer_module.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


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
    terminal = Terminal.open()
    terminal.hide_noise(ROOT / "runs" / "freeze-study.log")
    from benchmarks.freeze_study.study import make_missing_runs, make_run, stored_runs
    from benchmarks.freeze_study.table import render, write_into

    try:
        if not only_table:
            # TensorFlow never gives back what a trained model took, so a process makes a few runs only.
            with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=len(LEVELS)) as pool:
                runs = [] if anew else stored_runs()
                for run in make_missing_runs(runs, lambda *kind: pool.apply(make_run, kind)):
                    note = "" if run.undisturbed else f" ({run.busy_elsewhere:.0%} of the machine was busy elsewhere)"
                    terminal.out.print(
                        f"{run.data_set}, {run.level} frozen, seed {run.seed}: accuracy {run.accuracy:.3f}, "
                        f"{run.seconds:.0f} s{note}",
                        soft_wrap=True,
                    )
    except UserError as error:  # no data, no model
        terminal.error(str(error))
        raise typer.Exit(2) from None
    table = render(stored_runs())
    terminal.out.print(table, markup=False, soft_wrap=True)
    if readme:
        write_into(ROOT / "README.md", table)
    terminal.close()


if __name__ == "__main__":
    typer.run(main)
