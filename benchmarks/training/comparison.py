"""The whole comparison: the machine's peak, then one measurement after the other."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.training.design import Task, tasks
from benchmarks.training.process import OWN_PYTHON, PEER_PYTHON, run_for_json
from benchmarks.training.results import Results, Row


def compare(
    train_rows: int,
    file: Path,
    peaks: Callable[[str], dict[str, Any]],
    measure: Callable[[Task, int], dict[str, Any]],
    before: Results | None = None,
) -> Iterator[Results]:
    """Measures everything anew, or what is missing.

    Args:
        train_rows: First so many of the training rows.
        file: Written after each measurement.
        peaks: See `gemm_peaks`.
        measure: See `measure_in_process`.
        before: Results of a comparison that was stopped, of as many rows.

    Yields:
        What there is so far, after the machine's peak and after each measurement.
    """
    results = before or _of_this_machine(train_rows, peaks)
    results.write(file)
    yield results
    done = {(row.system, row.frozen, row.dtype, row.epochs) for row in results.rows}
    for task in tasks():
        if (task.system, task.frozen, task.dtype, task.epochs) in done:
            continue
        measured = measure(task, train_rows)
        share = measured["useful_gflop"] / measured["seconds"] / results.peak(task.dtype)
        row = Row.model_validate(measured | {"gemm_share": round(share, 4)})
        _refuse_other_work(row, results.rows)
        results = results.model_copy(update={"rows": [*results.rows, row]})
        results.write(file)
        yield results


def _of_this_machine(train_rows: int, peaks: Callable[[str], dict[str, Any]]) -> Results:
    """Without any row yet."""
    of_library = {library: peaks(library) for library in ("tensorflow", "torch")}
    return Results(
        gemm_gflops=max(each["float32"] for each in of_library.values()),
        gemm_gflops_bfloat16=max(each["bfloat16"] for each in of_library.values()),
        train_rows=train_rows,
        processors=os.cpu_count() or 1,
        versions={library: each["version"] for library, each in of_library.items()},
    )


def gemm_peaks(library: str) -> dict[str, Any]:
    """Version of a library, and GFLOP/s of its fastest matrix product by dtype."""
    return run_for_json(PEER_PYTHON if library == "torch" else OWN_PYTHON, "benchmarks.training.gemm", library)


def measure_in_process(task: Task, train_rows: int) -> dict[str, Any]:
    """One measurement in a fresh process; what `as_row` gives."""
    options = {
        "--system": task.system,
        "--frozen": task.frozen,
        "--dtype": task.dtype,
        "--epochs": str(task.epochs),
        "--rows": str(train_rows),
    }
    arguments = [part for option in options.items() for part in option]
    python = PEER_PYTHON if task.system == "huggingface" else OWN_PYTHON
    return run_for_json(python, "benchmarks.training.one_run", *arguments)


def _refuse_other_work(row: Row, before: list[Row]) -> None:
    """The same task is the same arithmetic for all; otherwise they didn't train on the same tokens."""
    for other in before:
        if (other.frozen, other.epochs) == (row.frozen, row.epochs) and other.useful_gflop != row.useful_gflop:
            raise AssertionError(
                f"{row.system} and {other.system} trained on different tokens: {row.useful_gflop} and "
                f"{other.useful_gflop} GFLOP with {row.frozen} frozen"
            )
