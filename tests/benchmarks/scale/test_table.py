"""The tables show what each component costs, and how that grows."""

from rich.console import Console

from benchmarks.scale.component_costs import ComponentCost
from benchmarks.scale.one_run import ScaleRun
from benchmarks.scale.table import render


def run(rows: int, transform: tuple[float, float], pusher: tuple[float, float]) -> ScaleRun:
    costs = [
        ComponentCost(component=name, seconds=seconds, start_rss_mb=900, peak_rss_mb=peak)
        for name, (seconds, peak) in {"Transform": transform, "Pusher": pusher}.items()
    ]
    return ScaleRun(rows=rows, seconds=transform[0] + pusher[0] + 0.5, components=costs)


def lines(*runs: ScaleRun) -> list[list[str]]:
    """The cells of the tables' lines, titles and headers left out."""
    console = Console(width=200)
    with console.capture() as capture:
        console.print(render(runs))
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in capture.get().splitlines()
        if line.startswith("│")
    ]


def test_costs_and_growth() -> None:
    shown = lines(
        run(10_000, (21, 1000.4), (0.1, 1100)),
        run(100_000, (30, 1090.4), (0.1, 1100)),
        run(1_000_000, (138, 1090.4), (0.2, 1109)),
    )
    assert shown == [
        ["Transform", "21.0", "1000", "30.0", "1090", "138.0", "1090"],
        ["Pusher", "0.1", "1100", "0.1", "1100", "0.2", "1109"],
        ["whole run", "21.6", "1100", "30.6", "1100", "138.7", "1109"],
        ["Transform", "0.10", "+100", "0.12", "+0", "1.20"],
        ["Pusher", "–", "+0", "–", "+1", "–"],
    ]


def test_a_single_run_has_no_growth() -> None:
    assert lines(run(10_000, (21, 1000), (0.1, 1100))) == [
        ["Transform", "21.0", "1000"],
        ["Pusher", "0.1", "1100"],
        ["whole run", "21.6", "1100"],
    ]
