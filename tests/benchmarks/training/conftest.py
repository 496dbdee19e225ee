"""Made-up measurements."""

from typing import Any

import pytest

from benchmarks.training.results import Results, Row


def made_row(system: str, frozen: str, examples_per_s: float, **changed: Any) -> Row:
    given = {
        "system": system,
        "frozen": frozen,
        "dtype": "float32",
        "epochs": 3,
        "examples_per_s": examples_per_s,
        "test_accuracy": 0.8534,
        "peak_rss_mb": 1234,
        "seconds": 6144 / examples_per_s,
        "epoch_s": [1.0, 2.0, 3.0],
        "busy_elsewhere": 0.01,
        "useful_gflop": 100.0,
        "gemm_share": 0.4567,
    }
    return Row.model_validate(given | changed)


@pytest.fixture
def results() -> Results:
    return Results(
        gemm_gflops=150.0,
        gemm_gflops_bfloat16=330.4,
        train_rows=2048,
        processors=2,
        versions={"tensorflow": "2.16.2", "torch": "2.13.0"},
        rows=[
            made_row("huggingface", "nothing", 30.0),
            made_row("permafrost", "nothing", 60.0),
            made_row("permafrost", "nothing", 75.0, dtype="bfloat16"),
            made_row("tfx", "nothing", 9.4, busy_elsewhere=0.4),
            made_row("huggingface", "half", 40.0),
            made_row("huggingface", "half", 50.0, epochs=5),
            made_row("permafrost", "half", 200.0, epochs=5),
        ],
    )
