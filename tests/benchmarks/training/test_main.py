"""`python -m benchmarks.training` and `python -m benchmarks`: what the user sees."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

import benchmarks.__main__ as all_parts
import benchmarks.training.__main__ as training
from benchmarks.training import process
from benchmarks.training.results import Results
from benchmarks.training.table import as_markdown
from trainer_module.errors import UserError


def call(main: Any, *arguments: str) -> Any:
    app = Typer()
    app.command()(main)
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that are started as processes; `serving` ends with exit code 2."""
    modules: list[str] = []

    def run(command: list[str], check: bool) -> "subprocess.CompletedProcess[str]":
        modules.append(command[-1])
        return subprocess.CompletedProcess(command, 2 if command[-1] == "benchmarks.serving" else 0)

    monkeypatch.setattr(subprocess, "run", run)
    return modules


def test_readme_prints_the_stored_results(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "results.json")
    printed = call(training.main, "--readme", "--out", str(tmp_path))
    assert printed.exit_code == 0
    assert printed.stdout == as_markdown(results) + "\n"


def test_missing_data_end_in_exit_code_2_and_leave_old_results(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_data(train_rows: int) -> None:
        raise UserError("data: not here")

    results.write(tmp_path / "results.json")
    monkeypatch.setattr(training, "read_sst2", no_data)
    assert call(training.main, "--out", str(tmp_path)).exit_code == 2
    assert Results.read(tmp_path / "results.json") == results


def test_without_results_there_is_no_table(tmp_path: Path) -> None:
    assert call(training.main, "--readme", "--out", str(tmp_path)).exit_code == 2


def test_a_failed_process_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG", tmp_path / "runs" / "bench.log")
    with pytest.raises(
        process.ProcessFailed, match=r"benchmarks\.training\.one_run --frozen all ended with exit code 2"
    ):
        process.run_module(process.OWN_PYTHON, "benchmarks.training.one_run", "--frozen", "all")
    assert "the following arguments are required: --system" in (tmp_path / "runs" / "bench.log").read_text()


def test_without_the_peers_environment_it_says_what_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PEER_PYTHON", tmp_path / "python")
    with pytest.raises(UserError, match="call `make bench`"):
        process.refuse_missing_peer()


def test_named_parts_run_in_the_order_given(started: list[str]) -> None:
    assert call(all_parts.main, "scale", "training").exit_code == 0
    assert started == ["benchmarks.scale", "benchmarks.training"]


def test_all_parts_run_until_one_fails_and_its_exit_code_is_kept(started: list[str]) -> None:
    assert call(all_parts.main).exit_code == 2
    assert started == ["benchmarks.training", "benchmarks.serving"]


def test_an_unknown_part_is_refused(started: list[str]) -> None:
    assert call(all_parts.main, "speed").exit_code == 2
    assert started == []
