"""`python -m benchmarks.training.one_run`: one measurement in a process of its own; prints one line of JSON.

Nothing but the standard library is imported here: a process is to hold only what its system needs.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence

from benchmarks.training.arithmetic import useful_flops
from benchmarks.training.design import LEVELS, TRAIN_ROWS, Task, model_folder
from benchmarks.training.measured import Measured
from benchmarks.training.sst2 import read_sst2
from trainer_module.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what the command line says.

    Returns:
        The exit code: 2 where there is no data or no model.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training.one_run")
    parser.add_argument("--system", required=True, choices=("permafrost", "huggingface", "tfx"))
    parser.add_argument("--frozen", required=True, choices=tuple(LEVELS))
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=TRAIN_ROWS, help="Training rows.")
    given = parser.parse_args(arguments)
    task = Task(given.system, given.frozen, given.dtype, given.epochs)
    try:
        data = read_sst2(given.rows)
        model = model_folder(task.system)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    system = importlib.import_module(f"benchmarks.training.systems.{task.system}")
    print(json.dumps(as_row(task, system.measure(task, data, model))), flush=True)
    return 0


def as_row(task: Task, measured: Measured) -> dict[str, object]:
    """The measurement as it stands in results.json, but for the share of the machine's peak."""
    spent = measured.spent
    return {
        "system": task.system,
        "frozen": task.frozen,
        "dtype": task.dtype,
        "epochs": task.epochs,
        "examples_per_s": round(task.epochs * len(measured.lengths) / spent.seconds, 1),
        "test_accuracy": round(measured.test_accuracy, 4),
        "peak_rss_mb": spent.peak_rss_mb,
        "seconds": round(spent.seconds, 3),
        "epoch_s": [round(seconds, 3) for seconds in measured.epoch_s],
        "busy_elsewhere": round(spent.busy_elsewhere, 3),
        "useful_gflop": round(useful_flops(measured.lengths, task.level, task.epochs) / 1e9, 3),
    }


if __name__ == "__main__":
    sys.exit(main())
