"""One run of the pipeline on so many rows, measured."""

import tempfile
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.scale.component_costs import ComponentCost, CostWatch
from benchmarks.scale.short_rows import write_rows
from pipeline.config_file import load_config

CONFIG = Path(__file__).with_name("pipeline.toml")
SOURCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "SST-2-sentence" / "train.tsv"
SEED = 0


class ScaleRun(BaseModel):
    """What a run cost.

    Attributes:
        rows: That were read: training and evaluation together.
        seconds: Of the whole run, imports excluded.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    seconds: float
    components: list[ComponentCost]

    @property
    def peak_rss_mb(self) -> float:
        """Of the whole run, MiB."""
        return max(cost.peak_rss_mb for cost in self.components)


def run_once(rows: int) -> ScaleRun:
    """Makes the rows, and runs the pipeline on them, in a folder that is removed afterwards.

    What a process has imported and computed stays in its memory: to be called once a process.

    Raises:
        UserError: The data or the model isn't there.
    """
    with tempfile.TemporaryDirectory(prefix="permafrost-scale-") as name:
        folder = Path(name)
        write_rows(SOURCE, folder / "rows.tsv", rows, SEED)
        paths = {"data.train": "rows.tsv", "pipeline.root": "run", "push.directory": "serving"}
        config = load_config(CONFIG, [f'{key}="{folder / path}"' for key, path in paths.items()])
        # Imported only now: making the rows shall not count as theirs.
        from pipeline.runners.local import run_pipeline

        watch = CostWatch()
        start = time.perf_counter()
        run_pipeline(config, watch)
        return ScaleRun(rows=rows, seconds=time.perf_counter() - start, components=watch.costs)
