"""Memory and folders."""

from pathlib import Path

import pytest

from pipeline.doctor.machine import check_folder, check_memory

TOO_MUCH = 10**18


def test_memory() -> None:
    finding = check_memory(least=0, enough=0)
    assert finding.verdict == "ok"
    assert finding.found.endswith(" free")
    assert check_memory(least=0, enough=TOO_MUCH).verdict == "warning"
    finding = check_memory(least=TOO_MUCH)
    assert finding.verdict == "problem"
    assert finding.advice == "a run needs 1.0 EB at least: end other programs, or take a larger machine"


def test_a_folder_that_is_there(tmp_path: Path) -> None:
    finding = check_folder(str(tmp_path), least=0, enough=0)
    assert finding.verdict == "ok"
    assert finding.found.startswith(f"{tmp_path} can be written; ")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    assert check_folder(str(folder), least=0, enough=0).verdict == "ok"
    assert not (tmp_path / "runs").exists()


def test_too_little_room(tmp_path: Path) -> None:
    assert check_folder(str(tmp_path), least=0, enough=TOO_MUCH).verdict == "warning"
    finding = check_folder(str(tmp_path), least=TOO_MUCH)
    assert finding.verdict == "problem"
    assert finding.advice == "a run needs 1.0 EB at least: make room, or name another folder"


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_file_is_in_the_way(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    finding = check_folder(str(tmp_path / path))
    assert finding.verdict == "problem"
    assert finding.found == f"{tmp_path / 'file'} is a file, so {tmp_path / path} can't be a folder"


def test_a_folder_in_which_nobody_may_write() -> None:
    # Not even root may make a file in /proc.
    finding = check_folder("/proc/permafrost/runs")
    assert finding.verdict == "problem"
    assert finding.found.startswith("/proc can't be written: ")
    assert finding.advice == "name another folder in the config, or change its rights"
