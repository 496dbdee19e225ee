"""Growth is counted on the rows that were added; a ratio of 1 is linear."""

import pytest

from benchmarks.scale.component_costs import ComponentCost
from benchmarks.scale.growth import growths, slope_ratio
from benchmarks.scale.one_run import ScaleRun


def run(rows: int, seconds: float, peak: float, start: float = 900) -> ScaleRun:
    cost = ComponentCost(component="Transform", seconds=seconds, start_rss_mb=start, peak_rss_mb=peak)
    other = ComponentCost(component="Trainer", seconds=77, start_rss_mb=900, peak_rss_mb=5000)
    return ScaleRun(rows=rows, seconds=seconds + 77, components=[other, cost])


def test_the_fixed_part_of_the_cost_is_left_out() -> None:
    runs = [run(10_000, 20 + 1, 1000), run(100_000, 20 + 10, 1090), run(1_000_000, 20 + 100, 1090)]
    first, second = growths("Transform", runs)
    assert (first.seconds_per_1000_rows, second.seconds_per_1000_rows) == pytest.approx((0.1, 0.1))
    assert (first.mb_per_100k_rows, second.mb_per_100k_rows) == (pytest.approx(100), 0)
    assert slope_ratio([first, second]) == pytest.approx(1)


def test_memory_that_earlier_components_left_is_not_counted() -> None:
    (growth,) = growths("Transform", [run(10_000, 1, 1000, start=900), run(110_000, 1, 1530, start=1400)])
    assert growth.mb_per_100k_rows == pytest.approx(30)


def test_time_that_grows_with_the_square_of_the_rows_has_a_ratio_above_one() -> None:
    runs = [run(rows, 10 * (rows / 10_000) ** 2, 1000) for rows in (10_000, 100_000, 1_000_000)]
    assert slope_ratio(growths("Transform", runs)) == pytest.approx(10)


def test_one_growth_has_no_ratio() -> None:
    assert slope_ratio(growths("Transform", [run(10_000, 1, 1000), run(100_000, 10, 1000)])) is None


def test_a_growth_of_a_second_or_less_is_not_measurable() -> None:
    runs = [run(10_000, 5.0, 1000), run(100_000, 6.0, 1000), run(1_000_000, 16, 1000)]
    first, second = growths("Transform", runs)
    assert (first.measurable, second.measurable) == (False, True)
    assert slope_ratio([first, second]) is None
    assert slope_ratio([second, second]) == 1


def test_the_peak_of_a_run_is_that_of_its_largest_component() -> None:
    assert run(10_000, 1, 1000).peak_rss_mb == 5000
