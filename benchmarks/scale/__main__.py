"""`python -m benchmarks.scale`: runs the pipeline on 10,000, 100,000 and 1,000,000 rows and prints what it cost."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.scale.one_run import ScaleRun, run_once
from benchmarks.scale.table import render
from pipeline.cli.terminal import Terminal
from trainer_module.errors import UserError

SIZES = (10_000, 100_000, 1_000_000)
RESULTS = Path(__file__).with_name("results.json")
LOG = Path(__file__).resolve().parents[2] / "runs" / "scale.log"


def main(
    rows: Annotated[list[int] | None, typer.Option("--rows", min=500, help="How many; may be repeated.")] = None,
) -> None:
    """Measures seconds and peak memory of every component, each number of rows in a fresh process.

    Example: python -m benchmarks.scale --rows 10000 --rows 100000
    """
    terminal = Terminal.open()
    terminal.hide_noise(LOG)
    runs: list[ScaleRun] = []
    try:
        for count in sorted(set(rows or SIZES)):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                runs.append(pool.submit(run_once, count).result())
            RESULTS.write_text(json.dumps([run.model_dump() for run in runs], indent=1) + "\n", encoding="utf-8")
            terminal.out.print(f"{count:,} rows: {runs[-1].seconds:.0f} s, {runs[-1].peak_rss_mb:.0f} MiB at the most")
    except UserError as error:  # no data, no model
        terminal.error(str(error))
        raise typer.Exit(2) from None
    terminal.out.print(render(runs))
    terminal.close()


if __name__ == "__main__":
    typer.run(main)
