"""One line a measurement, in a terminal and in README.md."""

from io import StringIO

from rich.console import Console

from benchmarks.training.results import Results
from benchmarks.training.table import as_markdown, as_table


def test_the_markdown_table(results: Results) -> None:
    lines = as_markdown(results).splitlines()
    assert lines[:4] == [
        "| frozen | epochs | system | dtype | examples/s | ÷ Hugging Face | test accuracy | peak RSS (MiB) "
        "| of GEMM peak |",
        "|---|---:|---|---|---:|---:|---:|---:|---:|",
        "| nothing | 3 | Hugging Face, PyTorch | float32 | 30.0 | 1.00 | 0.853 | 1234 | 45.7% |",
        "| nothing | 3 | Permafrost | float32 | 60.0 | 2.00 | 0.853 | 1234 | 45.7% |",
    ]
    half = "| embeddings + 3 of 6 blocks | 5 | Permafrost | float32 | 200.0 | 4.00 | 0.853 | 1234 | 45.7% |"
    assert lines[8] == half
    assert len(lines) == 2 + 7 + 2


def test_the_share_of_the_peak_says_what_the_peak_is(results: Results) -> None:
    assert (
        as_markdown(results)
        .splitlines()[-1]
        .startswith("GEMM peak of 2 processors: 150 GFLOP/s in float32, 330 in bfloat16.")
    )


def test_a_disturbed_measurement_is_marked(results: Results) -> None:
    text = as_markdown(results)
    assert "| TFX example's recipe | float32 | 9.4 * | 0.31 |" in text
    assert text.endswith("* 1 measured while other processes took over 10% of the machine.")
    calm = results.model_copy(update={"rows": results.rows[:3]})
    assert "*" not in as_markdown(calm)


def test_the_terminal_shows_the_same_cells(results: Results) -> None:
    console = Console(width=160, file=StringIO())
    with console.capture() as capture:
        console.print(as_table(results))
    shown = capture.get()
    for line in as_markdown(results).splitlines()[2:-2]:
        cells = line.strip("| ").split(" | ")
        assert any(all(cell in printed for cell in cells) for printed in shown.splitlines())
