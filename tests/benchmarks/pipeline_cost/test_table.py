"""Seconds side by side, and rows per second beyond the fixed cost."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from benchmarks.pipeline_cost.measured_run import PipelineRun, System
from benchmarks.pipeline_cost.table import fixed_cost_table, rows_per_second, throughput_table

COMPONENTS = ["ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform", "Trainer", "Evaluator"]


def made(system: System, rows: int, transform: float, evaluator: float) -> PipelineRun:
    seconds = dict.fromkeys([*COMPONENTS, "Pusher"], 1.0) | {"Transform": transform, "Evaluator": evaluator}
    total = 10 + sum(seconds.values()) + 2
    return PipelineRun(system=system, rows=rows, steps=13, seconds=total, seconds_before=10, component_seconds=seconds)


def lines(table: Table) -> list[list[str]]:
    text = io.StringIO()
    Console(file=text, width=120).print(table)
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.getvalue().splitlines() if "│" in line]


def test_each_component_is_compared() -> None:
    shown = lines(fixed_cost_table(made("tfx", 260, 40, 20), made("permafrost", 260, 10, 4)))
    assert ["Transform", "40.0", "10.0", "0.25"] in shown
    assert ["before the first component", "10.0", "10.0", "1.00"] in shown
    assert ["all else", "2.0", "2.0", "1.00"] in shown
    assert shown[-1] == ["whole", "78.0", "32.0", "0.41"]


def test_rows_per_second_leave_the_fixed_cost_out() -> None:
    small, large = made("tfx", 100, 40, 20), made("tfx", 1100, 50, 30)
    assert rows_per_second("Transform", 1.0, small, large) == pytest.approx(100)
    assert rows_per_second("Evaluator", 0.2, small, large) == pytest.approx(20)


def test_the_systems_rows_per_second_are_compared() -> None:
    small = [made("tfx", 100, 40, 20), made("permafrost", 100, 10, 5)]
    large = [made("tfx", 10_100, 140, 120), made("permafrost", 10_100, 20, 15)]
    shown = lines(throughput_table(small, large))
    assert ["Transform", "100.0", "1,000.0", "10.00"] in shown
    assert ["Evaluator", "20.0", "200.0", "10.00"] in shown
