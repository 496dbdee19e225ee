"""`python -m benchmarks.training`: measures all systems, prints the table, draws the chart."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.training.comparison import compare, gemm_peaks, measure_in_process
from benchmarks.training.design import ROOT, TRAIN_ROWS, model_folder, tasks
from benchmarks.training.process import PEER_PYTHON, ProcessFailed, refuse_missing_peer, run_module
from benchmarks.training.results import Results, Row
from benchmarks.training.sst2 import read_sst2
from benchmarks.training.table import as_markdown, as_table
from pipeline.cli.terminal import Terminal
from trainer_module.errors import UserError


def main(
    rows: Annotated[int, typer.Option(min=32, help="Training rows; fewer make a quick try.")] = TRAIN_ROWS,
    out: Annotated[Path, typer.Option(help="Folder of results.json and training.png.")] = ROOT / "benchmarks",
    resume: Annotated[
        bool, typer.Option("--resume", help="Measure only what results.json lacks, after a run that was stopped.")
    ] = False,
    readme: Annotated[
        bool, typer.Option("--readme", help="Measure nothing; print the stored results in Markdown.")
    ] = False,
) -> None:
    """Trains with Permafrost, Hugging Face and TFX's recipe on the same weights and rows, each in a fresh process.

    Everything is measured anew, unless resumed, and kept as soon as it is measured, in results.json.
    """
    terminal = Terminal.open()
    file = out / "results.json"
    try:
        if readme:
            if not file.exists():
                raise UserError(f"{file}: isn't there; `make bench ARGS=training` makes it")
            print(as_markdown(Results.read(file)))
            return
        read_sst2(rows)
        for task in tasks():
            model_folder(task.system)
        refuse_missing_peer()
        results = _measure(rows, file, terminal, Results.read(file) if resume and file.exists() else None)
        run_module(PEER_PYTHON, "benchmarks.training.chart", str(file), str(out / "training.png"))
    except UserError as error:
        terminal.error(str(error))
        raise typer.Exit(2) from None
    except ProcessFailed as error:
        terminal.error(str(error))
        raise typer.Exit(1) from None
    # Whole numbers matter more than the terminal's width, which is 80 wherever there is none.
    terminal.out.width = max(terminal.out.width, 160)
    terminal.out.print(as_table(results))


def _measure(rows: int, file: Path, terminal: Terminal, before: Results | None) -> Results:
    if before is not None and before.train_rows != rows:
        raise UserError(f"{file}: was measured with {before.train_rows} rows, not {rows}; leave out --resume")
    for results in compare(rows, file, gemm_peaks, measure_in_process, before):
        if results.rows:
            terminal.out.print(_in_one_line(results.rows[-1]), soft_wrap=True)
        else:
            terminal.out.print(
                f"GEMM peak: {results.gemm_gflops:.0f} GFLOP/s float32, {results.gemm_gflops_bfloat16:.0f} bfloat16"
            )
    return results


def _in_one_line(row: Row) -> str:
    return (
        f"{row.system} {row.dtype}, {row.frozen} frozen, {row.epochs} epochs: {row.examples_per_s:.1f} examples/s, "
        f"accuracy {row.test_accuracy:.3f}, {row.peak_rss_mb} MiB"
    )


if __name__ == "__main__":
    typer.run(main)
