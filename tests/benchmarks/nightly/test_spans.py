"""Each night has rows of its own."""

from pathlib import Path

import pytest

from benchmarks.nightly.spans import day, write_spans
from trainer_module.errors import UserError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Ten different rows, some of them twice."""
    lines = [f"text {index}\t{index % 2}" for index in range(10)]
    path = tmp_path / "source.tsv"
    path.write_text("\n".join([*lines, *lines[:4]]) + "\n", encoding="utf-8")
    return path


def test_no_row_comes_twice(source: Path, tmp_path: Path) -> None:
    write_spans(source, tmp_path / "days", spans=3, rows=3, seed=0)
    files = sorted((tmp_path / "days").iterdir())
    assert [file.name for file in files] == ["2026-11-01.tsv", "2026-11-02.tsv", "2026-11-03.tsv"]
    rows = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == len(set(rows)) == 9


def test_the_same_seed_gives_the_same_days(source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_spans(source, tmp_path / name, spans=2, rows=5, seed=1)
    file = f"{day(1)}.tsv"
    assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_too_few_rows_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        write_spans(source, tmp_path / "days", spans=3, rows=4, seed=0)
    assert str(error.value) == f"{source} has 10 rows, too few for 3 days of 4; take fewer a night"
    assert not (tmp_path / "days").exists()


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.tsv is missing; the benchmark reads SST-2$"):
        write_spans(tmp_path / "nowhere.tsv", tmp_path, spans=1, rows=1, seed=0)
