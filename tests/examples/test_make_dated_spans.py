"""The spans hold each row once, in order and byte by byte."""

import datetime
import subprocess
import sys
from pathlib import Path

from components.example_gen.span_search import find_spans
from components.example_gen.spans import span_of
from pipeline.config_file import load_config

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "make_dated_spans.py"
CONFIG = SCRIPT.parents[1] / "configs" / "nightly.toml"
ROWS = [f'sentence {number} \tcr\xe8me "quoted\t{number % 2}\n'.encode() for number in range(10)]


def call(source: Path, out: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(source), str(out), *options], capture_output=True, text=True, check=False
    )


def write_rows(folder: Path, header: bytes = b"") -> Path:
    source = folder / "rows.tsv"
    source.write_bytes(header + b"".join(ROWS))
    return source


def written(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_each_day_gets_its_rows_and_the_rest_stays_out(tmp_path: Path) -> None:
    out = tmp_path / "days"
    done = call(write_rows(tmp_path), out, "--days", "3", "--rows-per-day", "3", "--first", "2026-12-30")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (f"3 days of 3 rows: {out}/2026-12-30/v1/rows.tsv to {out}/2027-01-01/v1/rows.tsv\n")
    assert written(out) == {
        "2026-12-30/v1/rows.tsv": b"".join(ROWS[:3]),
        "2026-12-31/v1/rows.tsv": b"".join(ROWS[3:6]),
        "2027-01-01/v1/rows.tsv": b"".join(ROWS[6:9]),
    }


def test_each_day_gets_the_header(tmp_path: Path) -> None:
    out = tmp_path / "days"
    call(write_rows(tmp_path, b"text\tlabel\n"), out, "--days", "2", "--rows-per-day", "5", "--header")
    assert written(out) == {
        "2026-11-01/v1/rows.tsv": b"text\tlabel\n" + b"".join(ROWS[:5]),
        "2026-11-02/v1/rows.tsv": b"text\tlabel\n" + b"".join(ROWS[5:]),
    }


def test_too_few_rows_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = write_rows(tmp_path)
    done = call(source, tmp_path / "days", "--days", "3", "--rows-per-day", "4")
    assert done.returncode == 2
    assert done.stderr == f"error: {source} has 10 rows, too few for 3 days of 4\n"
    assert not (tmp_path / "days").exists()


def test_days_that_are_there_are_left_alone(tmp_path: Path) -> None:
    source, out = write_rows(tmp_path), tmp_path / "days"
    call(source, out, "--days", "2", "--rows-per-day", "2")
    before = written(out)
    done = call(source, out, "--days", "2", "--rows-per-day", "2", "--first", "2026-11-02")
    assert done.returncode == 2
    assert done.stderr == f"error: {out}/2026-11-02/v1/rows.tsv is there already; name another folder or day\n"
    assert written(out) == before


def test_the_nightly_config_finds_them(tmp_path: Path) -> None:
    config = load_config(CONFIG)
    folder, _, pattern = config.data.train.partition("/days/sst2/")
    assert folder == str(CONFIG.parents[1] / "runs")
    call(write_rows(tmp_path), tmp_path / "days", "--days", "8", "--rows-per-day", "1")
    found = find_spans(str(tmp_path / "days"), pattern)
    first = span_of(datetime.date(2026, 11, 1))
    assert {number: span.version for number, span in found.items()} == {first + day: 1 for day in range(8)}
