"""Folders that can't be written are refused before anything runs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config_file import load_config
from pipeline.folders import folder_problem, require_folders
from pipeline.runners.local import run_pipeline
from trainer_module.errors import UserError


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[pipeline]\nname = "mine"\nroot = "run"\n[data]\ntrain = "rows.csv"\ntext = ["body"]\nlabel = "topic"\n'
        '[model]\nhub = "bert"\n[push]\ndirectory = "serving"\n'
    )
    return file


class Silence:
    """A listener of a run in which nothing may happen."""

    def started(self, component: str, run_id: str) -> None:
        raise AssertionError(component)

    def ended(self, component: str, seconds: float) -> None: ...

    def failed(self, component: str, error: Exception) -> None: ...


def file_in_the_way(folder: Path) -> tuple[str, str]:
    (folder / "file").write_text("")
    return "file", f"{folder}/file is a file, so {folder}/file can't be a folder"


def file_above(folder: Path) -> tuple[str, str]:
    (folder / "file").write_text("")
    return "file/below/it", f"{folder}/file is a file, so {folder}/file/below/it can't be a folder"


def dangling_link(folder: Path) -> tuple[str, str]:
    (folder / "link").symlink_to("nowhere")
    return "link", f"{folder}/link is no folder, so {folder}/link can't be a folder"


def loop_of_links(folder: Path) -> tuple[str, str]:
    (folder / "link").symlink_to("link")
    return "link/run", f"{folder}/link is no folder, so {folder}/link/run can't be a folder"


def below_proc(_: Path) -> tuple[str, str]:
    return "/proc/permafrost/run", "/proc can't be written: No such file or directory"


def device(_: Path) -> tuple[str, str]:
    return "/dev/null", "/dev/null is no folder, so /dev/null can't be a folder"


def too_long(folder: Path) -> tuple[str, str]:
    return "x" * 300, f"{folder} can't be written: File name too long"


WRONG = [file_in_the_way, file_above, dangling_link, loop_of_links, below_proc, device, too_long]
ADVICE = "name another folder in the config, or change its rights"
Wrong = Callable[[Path], tuple[str, str]]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("key", ["pipeline.root", "push.directory"])
def test_a_run_is_refused_before_the_first_component(
    config_file: Path, permafrost: Any, wrong: Wrong, key: str
) -> None:
    path, found = wrong(config_file.parent)
    before = sorted(config_file.parent.rglob("*"))
    with pytest.raises(UserError) as caught:
        permafrost("run", "--config", str(config_file), "--set", f"{key}={path}")
    assert str(caught.value) == f"{key}: {found}; {ADVICE}"
    with pytest.raises(UserError) as caught:
        run_pipeline(load_config(config_file, [f"{key}={path}"]), Silence())
    assert str(caught.value) == f"{key}: {found}; {ADVICE}"
    assert sorted(config_file.parent.rglob("*")) == before, "nothing is left of the check"


@pytest.mark.parametrize("verb", ["history", "rollback"])
@pytest.mark.parametrize("wrong", [file_in_the_way, below_proc])
def test_other_verbs_refuse_the_root_likewise(config_file: Path, permafrost: Any, verb: str, wrong: Wrong) -> None:
    path, found = wrong(config_file.parent)
    with pytest.raises(UserError) as caught:
        permafrost(verb, "--config", str(config_file), "--set", f"pipeline.root={path}")
    assert str(caught.value) == f"pipeline.root: {found}; {ADVICE}"


def test_a_folder_of_the_metadata_database_that_cannot_be_made_is_refused(config_file: Path, permafrost: Any) -> None:
    with pytest.raises(UserError) as caught:
        permafrost("history", "--config", str(config_file), "--set", "metadata.uri=sqlite:////proc/run/mine.sqlite")
    assert str(caught.value) == f"metadata.uri: /proc can't be written: No such file or directory; {ADVICE}"


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs the right to become another user")
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        found = folder_problem(str(tmp_path / "run"))
    finally:
        os.seteuid(0)
    assert found == f"{tmp_path} can't be written: Permission denied"


def test_all_wrong_folders_are_named_and_remote_ones_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        require_folders({"a": "/proc/a", "b": "gs://bucket/b", "c": "/dev/null", "d": str(tmp_path / "d" / "e")})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["a", "c"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("log_file", ["file/the.log", "."])
def test_a_log_that_cannot_be_written_is_refused(
    config_file: Path, monkeypatch: pytest.MonkeyPatch, permafrost: Any, log_file: str
) -> None:
    (config_file.parent / "file").write_text("")
    path = config_file.parent / log_file
    permafrost.terminal.log_file = None
    with pytest.raises(UserError, match=rf"^--log-file: {path} can't be written: .*; name another file$"):
        permafrost("run", "--config", str(config_file), "--log-file", str(path))


@pytest.mark.parametrize("key", ["pipeline.root", "push.directory", "data.train", "data.schema"])
def test_a_path_cannot_hold_a_nul_character(config_file: Path, key: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config(config_file, [f'{key}="a\\u0000b"'])
    assert str(caught.value) == f"{key}: holds a NUL byte; remove it; given 'a\\x00b'"


def test_nor_can_the_address_of_the_metadata_database(config_file: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_config(config_file, ["metadata.uri=sqlite:///run/a%00b"])
    assert str(caught.value) == "metadata.uri: can't hold a NUL character"
