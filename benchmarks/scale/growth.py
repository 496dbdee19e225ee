"""How a component's costs grow from one run to a larger one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.scale.component_costs import ComponentCost
from benchmarks.scale.one_run import ScaleRun

MEASURABLE_SECONDS = 1.0
"""A component that takes no more than this longer for all the added rows isn't told from one that takes no longer."""


@dataclass(frozen=True)
class Growth:
    """From one run to the next larger one.

    Attributes:
        seconds_per_1000_rows: Of the rows that were added.
        mb_per_100k_rows: The same of the memory that the component itself added (`ComponentCost.added_mb`).
        measurable: Whether the seconds grew by more than `MEASURABLE_SECONDS`.
    """

    seconds_per_1000_rows: float
    mb_per_100k_rows: float
    measurable: bool


def growths(component: str, runs: Sequence[ScaleRun]) -> list[Growth]:
    """Of a component, between the runs, which go from few rows to many."""
    return [_growth(component, smaller, larger) for smaller, larger in pairwise(runs)]


def slope_ratio(growths: Sequence[Growth]) -> float | None:
    """The last growth of seconds, relative to that before it: 1 where time is linear in the rows.

    None where there is nothing to compare: fewer than two growths, or one that is too small to be measured.
    """
    if len(growths) < 2 or not all(growth.measurable for growth in growths[-2:]):
        return None
    before, last = growths[-2:]
    return last.seconds_per_1000_rows / before.seconds_per_1000_rows


def _growth(component: str, smaller: ScaleRun, larger: ScaleRun) -> Growth:
    added = larger.rows - smaller.rows
    before, after = cost_of(component, smaller), cost_of(component, larger)
    seconds = after.seconds - before.seconds
    return Growth(
        seconds_per_1000_rows=seconds / added * 1e3,
        mb_per_100k_rows=(after.added_mb - before.added_mb) / added * 1e5,
        measurable=seconds > MEASURABLE_SECONDS,
    )


def cost_of(component: str, run: ScaleRun) -> ComponentCost:
    """A component's cost in a run."""
    return next(cost for cost in run.components if cost.component == component)
