"""What was measured, and the file that keeps it."""

import json
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.training.design import Dtype, System

UNDISTURBED = 0.1
"""Other processes may take this share of the machine during a measurement that counts."""


class Row(BaseModel):
    """One measurement.

    Attributes:
        examples_per_s: Training examples, each counted once an epoch; tracing is in it.
        test_accuracy: On the whole test set.
        peak_rss_mb: Most resident memory of the process until training ended, MiB.
        seconds: Of training.
        epoch_s: Of each epoch; the first has tracing in it.
        busy_elsewhere: Share of the processors' time that other processes took meanwhile.
        useful_gflop: Least arithmetic of this training; see `useful_flops`.
        gemm_share: Useful arithmetic a second, as a share of what the machine's fastest matrix product reaches in
            this dtype.
    """

    model_config = ConfigDict(frozen=True)

    system: System
    frozen: str
    dtype: Dtype
    epochs: int
    examples_per_s: float
    test_accuracy: float
    peak_rss_mb: int
    seconds: float
    epoch_s: list[float]
    busy_elsewhere: float
    useful_gflop: float
    gemm_share: float


class Results(BaseModel):
    """All of a comparison.

    Attributes:
        gemm_gflops: The machine's fastest float32 matrix product, GFLOP/s.
        gemm_gflops_bfloat16: The same in bfloat16.
        train_rows: How many all trained on.
        processors: Of the machine.
        versions: Of the libraries that do the work.
        rows: In the order in which they were measured.
    """

    gemm_gflops: float
    gemm_gflops_bfloat16: float
    train_rows: int
    processors: int
    versions: dict[str, str]
    rows: list[Row] = []

    def peak(self, dtype: Dtype) -> float:
        """GFLOP/s of the fastest matrix product in a dtype."""
        return self.gemm_gflops if dtype == "float32" else self.gemm_gflops_bfloat16

    def ratio(self, row: Row) -> float | None:
        """Examples per second against Hugging Face's with the same frozen and as many epochs; None: not measured."""
        for other in self.rows:
            if (other.system, other.frozen, other.epochs) == ("huggingface", row.frozen, row.epochs):
                return row.examples_per_s / other.examples_per_s
        return None

    def write(self, file: Path) -> None:
        """Replaces the file, so that it is whole at any time."""
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(self.model_dump(), indent=1) + "\n", encoding="utf-8")
        os.replace(new, file)

    @classmethod
    def read(cls, file: Path) -> "Results":
        """What `write` wrote."""
        return cls.model_validate_json(file.read_text(encoding="utf-8"))
