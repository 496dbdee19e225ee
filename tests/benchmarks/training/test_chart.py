"""The chart shows the three-epoch trainings, one panel an amount of freezing."""

import struct
import subprocess
from pathlib import Path

import pytest

from benchmarks.training.chart import panels
from benchmarks.training.process import PEER_PYTHON
from benchmarks.training.results import Results

REPOSITORY = Path(__file__).resolve().parents[3]


def test_bars_are_those_of_three_epochs_with_the_ratio_of_ours(results: Results) -> None:
    drawn = panels(results.model_dump()["rows"])
    assert {frozen: [(bar.name, bar.label) for bar in bars] for frozen, bars in drawn.items()} == {
        "nothing": [
            ("TFX example's recipe", "9"),
            ("Hugging Face, PyTorch", "30"),
            ("Permafrost, float32", "60  (2.0×)"),
            ("Permafrost, bfloat16", "75  (2.5×)"),
        ],
        "half": [("Hugging Face, PyTorch", "40")],
    }


def test_without_the_peer_bars_have_no_ratio(results: Results) -> None:
    rows = [row for row in results.model_dump()["rows"] if row["system"] == "permafrost"]
    assert [bar.label for bar in panels(rows)["nothing"]] == ["60", "75"]


@pytest.mark.slow
@pytest.mark.skipif(not PEER_PYTHON.exists(), reason="matplotlib is only where `make bench` has been called")
def test_the_chart_is_a_png(results: Results, tmp_path: Path) -> None:
    file, png = tmp_path / "results.json", tmp_path / "training.png"
    results.write(file)
    subprocess.run([PEER_PYTHON, "-m", "benchmarks.training.chart", file, png], cwd=REPOSITORY, check=True)
    content = png.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert width == 1200 and height > 300
