"""The costs of all runs, and how they grow, as tables."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table

from benchmarks.scale.growth import Growth, cost_of, growths, slope_ratio
from benchmarks.scale.one_run import ScaleRun


def render(runs: Sequence[ScaleRun]) -> Group:
    """Both tables have one line per component.

    Args:
        runs: From few rows to many; at least one.
    """
    return Group(_costs(runs), _growths(runs)) if len(runs) > 1 else Group(_costs(runs))


def _costs(runs: Sequence[ScaleRun]) -> Table:
    table = Table(
        title="Seconds and peak memory (MiB) by number of rows",
        caption="Memory is the whole process's: TensorFlow and what earlier components left are included.",
    )
    table.add_column("component", no_wrap=True)
    for run in runs:
        table.add_column(f"{run.rows:,} s", justify="right")
        table.add_column("MiB", justify="right")
    for component in _components(runs):
        costs = [cost_of(component, run) for run in runs]
        table.add_row(component, *(cell for cost in costs for cell in _cost_cells(cost.seconds, cost.peak_rss_mb)))
    table.add_section()
    table.add_row("whole run", *(cell for run in runs for cell in _cost_cells(run.seconds, run.peak_rss_mb)))
    return table


def _growths(runs: Sequence[ScaleRun]) -> Table:
    table = Table(
        title="Growth: seconds per 1,000 added rows, MiB per 100,000 added rows",
        caption="Memory: what a component took beyond what was there when it started. "
        "Ratio: the last growth of seconds ÷ that before it; 1 is linear. –: too little growth to tell.",
    )
    table.add_column("component", no_wrap=True)
    for run in runs[1:]:
        table.add_column(f"to {run.rows:,} s", justify="right")
        table.add_column("MiB", justify="right")
    table.add_column("ratio", justify="right")
    for component in _components(runs):
        grown = growths(component, runs)
        table.add_row(component, *(cell for growth in grown for cell in _growth_cells(growth)), _ratio_cell(grown))
    return table


def _components(runs: Sequence[ScaleRun]) -> list[str]:
    return [cost.component for cost in runs[-1].components]


def _cost_cells(seconds: float, megabytes: float) -> tuple[str, str]:
    return f"{seconds:.1f}", f"{megabytes:.0f}"


def _growth_cells(growth: Growth) -> tuple[str, str]:
    return f"{growth.seconds_per_1000_rows:.2f}" if growth.measurable else "–", f"{growth.mb_per_100k_rows:+.0f}"


def _ratio_cell(grown: Sequence[Growth]) -> str:
    ratio = slope_ratio(grown)
    return "–" if ratio is None else f"{ratio:.2f}"
