"""`python -m benchmarks.pipeline_cost`: our pipeline beside TFX's own BERT example, on the same rows and encoder."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.pipeline_cost.measured_run import BATCH, PipelineRun, System, measure, median_of
from benchmarks.pipeline_cost.table import fixed_cost_table, throughput_table
from benchmarks.pipeline_cost.work import EVAL_SHARE, ROOT, Row, first_rows, recombined_rows
from pipeline.cli.terminal import Terminal
from trainer_module.errors import UserError

RESULTS = Path(__file__).with_name("results.json")
SMALL = 260
SYSTEMS: tuple[System, System] = ("tfx", "permafrost")


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Small runs of each system, in turns; medians count.")] = 3,
    throughput: Annotated[bool, typer.Option(help="Measure Transform's and Evaluator's rows per second, too.")] = True,
    rows: Annotated[int, typer.Option(help="For the throughput.")] = 50_000,
) -> None:
    """Runs both systems, each in a fresh process, and prints seconds and rows per second side by side.

    A small run is one epoch on 260 rows of SST-2 with an encoder of 2 blocks, 128 wide; for the throughput both run
    once more on recombined rows, trained for no longer than before. Each run is kept in results.json.

    Example: python -m benchmarks.pipeline_cost --no-throughput
    """
    terminal = Terminal.open()
    terminal.hide_noise(ROOT / "runs" / "pipeline-cost.log")
    console = terminal.out
    runs: list[PipelineRun] = []
    try:
        small = first_rows(SMALL)
        steps = ceil(len(small) * (1 - EVAL_SHARE) / BATCH)
        for system in SYSTEMS * repeats:
            runs.append(_run(console, system, small, steps, runs))
        typical = [median_of([run for run in runs if run.system == system]) for system in SYSTEMS]
        console.print(fixed_cost_table(*typical))
        if throughput:
            large = recombined_rows(rows, seed=0)
            for system in SYSTEMS:
                runs.append(_run(console, system, large, steps, runs))
            console.print(throughput_table(typical, runs[-2:]))
    except UserError as error:
        terminal.error(str(error))
        raise typer.Exit(2) from None


def _run(
    console: Console, system: System, rows: Sequence[Row], steps: int, before: Sequence[PipelineRun]
) -> PipelineRun:
    """Measures and keeps at once, so that a stop loses nothing; a failed run's folder stays for its log."""
    folder = Path(tempfile.mkdtemp(prefix="permafrost-benchmark-"))
    run = measure(system, rows, steps, folder)
    shutil.rmtree(folder)
    console.print(f"{system}, {run.rows:,} rows: {run.seconds:.1f} s")
    RESULTS.write_text(json.dumps([each.model_dump() for each in [*before, run]], indent=1) + "\n", encoding="utf-8")
    return run


if __name__ == "__main__":
    typer.run(main)
