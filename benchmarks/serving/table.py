"""The latencies as one table."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.serving.latency import Latency


def render(latencies: Sequence[Latency]) -> Table:
    """One line per kind of request that both exports were asked.

    Args:
        latencies: Of each kind one per padding.
    """
    table = Table(
        title="Latency of 10-word texts, milliseconds",
        caption="Ours pads to the longest text of the request, the other export to max_tokens. Ratio: other ÷ ours.",
    )
    table.add_column("signature", no_wrap=True)
    for name in ("batch", "ours p50", "p99", "padded p50", "p99", "ratio p50", "p99"):
        table.add_column(name, justify="right")
    ours, padded = (
        {(each.signature, each.batch): each for each in latencies if each.padding == padding}
        for padding in ("longest", "max_tokens")
    )
    for kind, our in ours.items():
        other = padded[kind]
        times = (our.p50_ms, our.p99_ms, other.p50_ms, other.p99_ms)
        ratios = (other.p50_ms / our.p50_ms, other.p99_ms / our.p99_ms)
        table.add_row(
            our.signature, str(our.batch), *(f"{each:.1f}" for each in times), *(f"{each:.2f}" for each in ratios)
        )
    return table
