"""Nothing that was measured is lost, and nobody is compared at other work."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.training.comparison import compare
from benchmarks.training.design import Task, tasks
from benchmarks.training.results import Results

PEAKS = {
    "tensorflow": {"version": "2.16.2", "float32": 150.0, "bfloat16": 300.0},
    "torch": {"version": "2.13.0", "float32": 140.0, "bfloat16": 310.0},
}


def measured(task: Task, train_rows: int, gflop: float = 600.0) -> dict[str, Any]:
    return {
        "system": task.system,
        "frozen": task.frozen,
        "dtype": task.dtype,
        "epochs": task.epochs,
        "examples_per_s": task.epochs * train_rows / 8,
        "test_accuracy": 0.8,
        "peak_rss_mb": 900,
        "seconds": 8.0,
        "epoch_s": [8.0],
        "busy_elsewhere": 0.0,
        "useful_gflop": gflop,
    }


def test_the_faster_library_gives_the_machines_peak(tmp_path: Path) -> None:
    *_, results = compare(64, tmp_path / "results.json", PEAKS.__getitem__, measured)
    assert (results.gemm_gflops, results.gemm_gflops_bfloat16) == (150.0, 310.0)
    assert results.versions == {"tensorflow": "2.16.2", "torch": "2.13.0"}
    assert [row.gemm_share for row in results.rows[:3]] == [0.5, 0.5, 0.2419]  # 600 GFLOP in 8 s
    assert [(row.system, row.frozen, row.dtype, row.epochs) for row in results.rows] == [
        (task.system, task.frozen, task.dtype, task.epochs) for task in tasks()
    ]


def test_each_measurement_is_kept_at_once_and_an_old_file_is_begun_anew(results: Results, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    results.write(file)
    for count, so_far in enumerate(compare(64, file, PEAKS.__getitem__, measured)):
        assert Results.read(file) == so_far
        assert len(so_far.rows) == count
    assert count == len(tasks())


def test_a_stop_loses_nothing(tmp_path: Path) -> None:
    def stops_at_the_third(task: Task, train_rows: int) -> dict[str, Any]:
        if task.dtype == "bfloat16":
            raise KeyboardInterrupt
        return measured(task, train_rows)

    file = tmp_path / "results.json"
    with pytest.raises(KeyboardInterrupt):
        list(compare(64, file, PEAKS.__getitem__, stops_at_the_third))
    assert [row.system for row in Results.read(file).rows] == ["huggingface", "permafrost"]


def test_what_a_stop_left_out_can_be_measured_later(tmp_path: Path) -> None:
    *_, complete = compare(64, tmp_path / "results.json", PEAKS.__getitem__, measured)
    asked: list[Task] = []

    def remembers(task: Task, train_rows: int) -> dict[str, Any]:
        asked.append(task)
        return measured(task, train_rows)

    stopped = complete.model_copy(update={"rows": complete.rows[:3]})
    *_, resumed = compare(64, tmp_path / "results.json", PEAKS.__getitem__, remembers, stopped)
    assert asked == tasks()[3:]
    assert resumed == complete


def test_training_on_other_tokens_is_no_comparison(tmp_path: Path) -> None:
    def other_tokens(task: Task, train_rows: int) -> dict[str, Any]:
        return measured(task, train_rows, gflop=600.0 if task.system == "huggingface" else 601.0)

    with pytest.raises(AssertionError, match="permafrost and huggingface trained on different tokens"):
        list(compare(64, tmp_path / "results.json", PEAKS.__getitem__, other_tokens))
