"""`python -m benchmarks.serving`: how fast the exported model answers, against an export padded to `max_tokens`."""

from pathlib import Path

import typer

from benchmarks.serving.comparison import compare
from benchmarks.serving.table import render
from pipeline.cli.terminal import Terminal
from pipeline.config_file import load_config
from trainer_module.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Measures p50 and p99 of requests of 1 and 32 ten-word texts to the model of configs/sst2.toml."""
    terminal = Terminal.open()
    terminal.hide_noise(ROOT / "runs" / "serving.log")
    try:
        latencies = compare(load_config(ROOT / "configs" / "sst2.toml"))
    except UserError as error:  # no data, no model
        terminal.error(str(error))
        raise typer.Exit(2) from None
    terminal.out.print(render(latencies))
    terminal.close()


if __name__ == "__main__":
    typer.run(main)
