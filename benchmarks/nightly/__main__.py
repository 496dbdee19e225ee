"""`python -m benchmarks.nightly`: what a prefix cache saves that is kept from night to night."""

import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.nightly.one_night import WINDOW, Level, Night, run_night
from benchmarks.nightly.spans import SOURCE, write_spans
from benchmarks.nightly.table import nights_table
from pipeline.cli.terminal import Terminal
from trainer_module.errors import UserError

RESULTS = Path(__file__).with_name("results.json")
LOG = Path(__file__).resolve().parents[2] / "runs" / "nightly.log"


def main(
    nights: Annotated[int, typer.Option(min=2, help="Runs of each kind.")] = 8,
    rows: Annotated[int, typer.Option(min=20, help="New ones a night.")] = 300,
    levels: Annotated[list[Level] | None, typer.Option("--level", help="Default: all frozen; repeatable.")] = None,
    results: Annotated[Path, typer.Option(help="Where the measured nights are kept.")] = RESULTS,
) -> None:
    """Retrains MiniLM night by night on seven days of SST-2, with a cache that is kept and with none, in turns.

    Each night is a run in a fresh process. The first one begins with an empty cache.

    Example: python -m benchmarks.nightly --nights 3 --rows 60 --results /tmp/nights.json
    """
    terminal = Terminal.open()
    terminal.hide_noise(LOG)
    measured: list[Night] = []
    chosen = levels or [Level.all]
    try:
        with tempfile.TemporaryDirectory(prefix="permafrost-nightly-") as name:
            folder = Path(name)
            write_spans(SOURCE, folder / "days", WINDOW + nights - 1, rows, seed=0)
            for level in chosen:
                for night in range(1, nights + 1):
                    for kept in (False, True):
                        measured.append(_in_a_process(folder, level, kept, night))
                        results.write_text(
                            json.dumps([each.model_dump(mode="json") for each in measured], indent=1) + "\n",
                            encoding="utf-8",
                        )
                        terminal.out.print(_line(measured[-1]))
    except UserError as error:  # no data, no model
        terminal.error(str(error))
        raise typer.Exit(2) from None
    for level in chosen:
        terminal.out.print(nights_table(measured, level))
    terminal.close()


def _in_a_process(folder: Path, level: Level, kept: bool, night: int) -> Night:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(run_night, folder, level, kept, night).result()


def _line(night: Night) -> str:
    cache = "kept" if night.kept else "not kept"
    return (
        f"{night.level.value}, night {night.night}, cache {cache}: "
        f"{night.encoded:,} of {night.rows:,} rows encoded, Trainer {night.trainer_seconds:.1f} s"
    )


if __name__ == "__main__":
    typer.run(main)
