"""The table has one line per kind of request, with both exports and their ratio."""

from rich.console import Console

from benchmarks.serving.latency import Latency, Padding
from benchmarks.serving.table import render


def latency(padding: Padding, batch: int, p50: float, p99: float) -> Latency:
    return Latency(signature="predict_text", batch=batch, padding=padding, requests=100, p50_ms=p50, p99_ms=p99)


def test_the_ratio_says_how_many_times_as_long_the_padded_one_takes() -> None:
    latencies = [
        latency("longest", 1, 10, 16),
        latency("max_tokens", 1, 45, 24),
        latency("max_tokens", 32, 900, 1000),
        latency("longest", 32, 100, 125),
    ]
    console = Console(width=120)
    with console.capture() as capture:
        console.print(render(latencies))
    shown = [line.strip("│").split("│") for line in capture.get().splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in line] for line in shown] == [
        ["predict_text", "1", "10.0", "16.0", "45.0", "24.0", "4.50", "1.50"],
        ["predict_text", "32", "100.0", "125.0", "900.0", "1000.0", "9.00", "8.00"],
    ]
