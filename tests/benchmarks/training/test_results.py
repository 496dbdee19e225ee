"""The file is whole at any time and holds what the README is made of."""

import json
from pathlib import Path

import pytest

from benchmarks.training.results import Results


def test_what_is_written_can_be_read(results: Results, tmp_path: Path) -> None:
    file = tmp_path / "new" / "results.json"
    for _ in range(2):
        results.write(file)
        assert Results.read(file) == results
    assert list(file.parent.iterdir()) == [file]


def test_the_file_has_the_keys_that_others_read(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "results.json")
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert written["gemm_gflops"] == 150.0
    wanted = ("system", "frozen", "dtype", "epochs", "examples_per_s", "test_accuracy", "peak_rss_mb")
    assert [written["rows"][1][key] for key in wanted] == ["permafrost", "nothing", "float32", 3, 60.0, 0.8534, 1234]


def test_the_ratio_is_against_the_same_freezing_and_epochs(results: Results) -> None:
    assert [results.ratio(row) for row in results.rows] == pytest.approx([1, 2, 2.5, 9.4 / 30, 1, 1, 4])


def test_without_the_peer_there_is_no_ratio(results: Results) -> None:
    alone = results.model_copy(update={"rows": results.rows[1:2]})
    assert alone.ratio(alone.rows[0]) is None


def test_the_peak_is_that_of_the_dtype(results: Results) -> None:
    assert (results.peak("float32"), results.peak("bfloat16")) == (150.0, 330.4)
