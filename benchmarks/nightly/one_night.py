"""One night's run of the pipeline, measured."""

import time
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.nightly.encoded_rows import EncodedRows
from benchmarks.nightly.spans import PATTERN, day
from pipeline.config import PipelineConfig
from pipeline.config_file import load_config

CONFIG = Path(__file__).with_name("pipeline.toml")
WINDOW = 7
"""Days that a night reads, the newest for evaluation."""


class Level(str, Enum):
    """How much of MiniLM's six blocks is frozen."""

    all = "all"
    all_but_top = "all_but_top"

    @property
    def rules(self) -> list[str]:
        """As in a config."""
        return ["freeze all"] if self is Level.all else ["freeze embeddings", "freeze encoder[:5]"]


class Night(BaseModel):
    """What a night cost.

    Attributes:
        level: What is frozen.
        kept: Whether the prefix cache outlives the night.
        night: Counted from 1; before the first one, the cache is empty.
        rows: That were read, for training and evaluation.
        encoded: Of them, those that the frozen prefix was computed for.
        trainer_seconds: Of the Trainer, from its start to its end.
        seconds: Of the whole run, imports excluded.
        accuracy: On the newest day's rows.
    """

    model_config = ConfigDict(frozen=True)

    level: Level
    kept: bool
    night: int
    rows: int
    encoded: int
    trainer_seconds: float
    seconds: float
    accuracy: float


def night_config(folder: Path, level: Level, kept: bool, night: int) -> PipelineConfig:
    """The config of a night's run.

    Args:
        folder: Holds `days/`, and gets all that the runs leave, which the next night finds.
        level: See `Night`.
        kept: Likewise.
        night: Likewise.
    """
    root = folder / f"{level.value}-{'kept' if kept else 'anew'}"
    rules = ", ".join(f'"{rule}"' for rule in level.rules)
    overrides = [
        f'data.train="{folder / "days" / PATTERN}"',
        f"data.span={day(WINDOW + night - 2)}",
        f'pipeline.root="{root}"',
        f'push.directory="{root / "serving"}"',
        f"model.freeze=[{rules}]",
    ]
    return load_config(CONFIG, overrides + ([f'train.prefix_cache_dir="{root / "prefixes"}"'] if kept else []))


def run_night(folder: Path, level: Level, kept: bool, night: int) -> Night:
    """Runs the pipeline once; see `night_config`.

    What a process has imported stays in its memory: to be called once a process, as a night's run is one.

    Raises:
        UserError: The model isn't there.
    """
    config = night_config(folder, level, kept, night)
    from pipeline.runners.local import run_pipeline

    start = time.perf_counter()
    with EncodedRows() as rows:
        result = run_pipeline(config, _Silent())
    encoded = sum(rows.computed.values())
    return Night(
        level=level,
        kept=kept,
        night=night,
        rows=encoded + sum(rows.found.values()),
        encoded=encoded,
        trainer_seconds=result.seconds["Trainer"],
        seconds=time.perf_counter() - start,
        accuracy=result.evaluation.metrics["accuracy"],
    )


class _Silent:
    def started(self, component: str, run_id: str) -> None: ...

    def ended(self, component: str, seconds: float) -> None: ...

    def failed(self, component: str, error: Exception) -> None: ...
