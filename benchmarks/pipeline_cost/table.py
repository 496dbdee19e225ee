"""The runs as a table."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.pipeline_cost.measured_run import PipelineRun
from benchmarks.pipeline_cost.work import EVAL_SHARE

_BOTH_HAVE = (
    "ExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "Transform",
    "Trainer",
    "Evaluator",
    "Pusher",
)
_PER_ROW = {"Transform": 1.0, "Evaluator": EVAL_SHARE}
"""What share of the rows a component works on."""


def fixed_cost_table(theirs: PipelineRun, ours: PipelineRun) -> Table:
    """Seconds of one small run, per component and as a whole."""
    table = _table(f"a whole pipeline, {ours.rows} rows, {ours.steps} steps", "seconds")
    _add(table, "before the first component", theirs.seconds_before, ours.seconds_before)
    for name in _BOTH_HAVE:
        _add(table, name, theirs.component_seconds[name], ours.component_seconds[name])
    _add(table, "all else", _other(theirs), _other(ours), end_section=True)
    _add(table, "whole", theirs.seconds, ours.seconds)
    return table


def throughput_table(small: Sequence[PipelineRun], large: Sequence[PipelineRun]) -> Table:
    """Rows per second that a component does beyond its fixed cost: from a small and a large run of each system.

    Args:
        small: Theirs and ours.
        large: Likewise.
    """
    table = _table(f"{large[0].rows:,} rows, without what the first {small[0].rows} take", "rows/s")
    for name, share in _PER_ROW.items():
        theirs, ours = (rows_per_second(name, share, *runs) for runs in zip(small, large, strict=True))
        _add(table, name, theirs, ours)
    return table


def rows_per_second(component: str, share: float, small: PipelineRun, large: PipelineRun) -> float:
    """See `throughput_table`."""
    seconds = large.component_seconds[component] - small.component_seconds[component]
    return share * (large.rows - small.rows) / seconds


def _other(run: PipelineRun) -> float:
    return run.seconds - run.seconds_before - sum(run.component_seconds[name] for name in _BOTH_HAVE)


def _table(title: str, unit: str) -> Table:
    table = Table("", title=title, title_justify="left")
    for column in (f"TFX example, {unit}", f"Permafrost, {unit}", "ours ÷ theirs"):
        table.add_column(column, justify="right")
    return table


def _add(table: Table, name: str, theirs: float, ours: float, end_section: bool = False) -> None:
    ratio = f"{ours / theirs:.2f}" if theirs >= 0.1 else "–"
    digits = 0 if min(theirs, ours) >= 200 else 1
    table.add_row(name, f"{theirs:,.{digits}f}", f"{ours:,.{digits}f}", ratio, end_section=end_section)
