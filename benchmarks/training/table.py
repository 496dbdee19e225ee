"""The results as a table, for a terminal and for README.md."""

from rich.table import Table

from benchmarks.training.design import LEVELS
from benchmarks.training.results import UNDISTURBED, Results, Row

SYSTEMS = {
    "permafrost": "Permafrost",
    "huggingface": "Hugging Face, PyTorch",
    "tfx": "TFX example's recipe",
}
COLUMNS = (
    "frozen",
    "epochs",
    "system",
    "dtype",
    "examples/s",
    "÷ Hugging Face",
    "test accuracy",
    "peak RSS (MiB)",
    "of GEMM peak",
)
_TEXT_COLUMNS = ("frozen", "system", "dtype")


def as_table(results: Results) -> Table:
    """For a terminal; a line between amounts of freezing."""
    table = Table(title=f"Training on {results.train_rows} rows of SST-2, MiniLM-L6", caption=notes(results))
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in _TEXT_COLUMNS else "right", no_wrap=True)
    for index, row in enumerate(results.rows):
        if index and _group(row) != _group(results.rows[index - 1]):
            table.add_section()
        table.add_row(*_cells(row, results))
    return table


def as_markdown(results: Results) -> str:
    """For README.md."""
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        "|" + "|".join("---" if name in _TEXT_COLUMNS else "---:" for name in COLUMNS) + "|",
    ]
    lines += [f"| {' | '.join(_cells(row, results))} |" for row in results.rows]
    return "\n".join([*lines, "", notes(results)])


def notes(results: Results) -> str:
    """What the shares are shares of, and which seconds had better not be trusted."""
    text = (
        f"GEMM peak of {results.processors} processors: {results.gemm_gflops:.0f} GFLOP/s in float32, "
        f"{results.gemm_gflops_bfloat16:.0f} in bfloat16."
    )
    disturbed = sum(row.busy_elsewhere > UNDISTURBED for row in results.rows)
    if disturbed:
        text += f" * {disturbed} measured while other processes took over {UNDISTURBED:.0%} of the machine."
    return text


def _group(row: Row) -> tuple[str, int]:
    return row.frozen, row.epochs


def _cells(row: Row, results: Results) -> list[str]:
    ratio = results.ratio(row)
    mark = " *" if row.busy_elsewhere > UNDISTURBED else ""
    return [
        LEVELS[row.frozen].title,
        str(row.epochs),
        SYSTEMS[row.system],
        row.dtype,
        f"{row.examples_per_s:.1f}{mark}",
        "–" if ratio is None else f"{ratio:.2f}",
        f"{row.test_accuracy:.3f}",
        str(row.peak_rss_mb),
        f"{row.gemm_share:.1%}",
    ]
