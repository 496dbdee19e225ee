"""`python -m benchmarks`: all parts of `make bench`, or those that are named."""

import subprocess
import sys
from enum import Enum
from typing import Annotated

import typer


class Part(str, Enum):
    """What can be measured, in the order in which it is."""

    training = "training"
    serving = "serving"
    pipeline_cost = "pipeline_cost"
    scale = "scale"
    nightly = "nightly"


def main(
    parts: Annotated[list[Part] | None, typer.Argument(help="What to measure; default: everything.")] = None,
) -> None:
    """Measures training against the peers, serving, the pipeline's fixed cost, memory by the number of rows, and
    what a cache saves that is kept from night to night.

    Example: make bench ARGS=training
    """
    for part in parts or list(Part):
        # A process of its own: what one part leaves in memory is not to be measured in the next.
        code = subprocess.run([sys.executable, "-m", f"benchmarks.{part.value}"], check=False).returncode
        if code:
            raise typer.Exit(code)


if __name__ == "__main__":
    typer.run(main)
