"""A scratch folder is gone at the end; a killed run leaves it to the next, and no two runs ever share one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trainer_module.errors import UserError
from trainer_module.prefix_cache import scratch_folder
from trainer_module.prefix_cache.scratch_folder import ScratchFolder

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.parent != folder)


def fill(folder: ScratchFolder, text: str) -> None:
    folder.path.mkdir(exist_ok=True)
    (folder.path / "file").write_text(text)


def test_nothing_is_left_at_the_end(temporary: Path) -> None:
    with ScratchFolder("digest") as folder:
        fill(folder, "a")
        assert folder.path.is_relative_to(temporary)
    assert left(temporary) == []


def test_nothing_is_left_after_an_error(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ScratchFolder("digest") as folder:
        fill(folder, "a")
        raise KeyboardInterrupt
    assert left(temporary) == []


def test_nobody_else_can_look_into_it(temporary: Path) -> None:
    with ScratchFolder("digest"):
        (parent,) = temporary.iterdir()
        assert parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_another_user_made_first_is_refused(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    with pytest.raises(UserError) as error:
        ScratchFolder("digest")
    expected = f"{temporary}/permafrost-{other}: belongs to another user; set TMPDIR to a folder of your own"
    assert str(error.value) == expected


def test_runs_at_once_have_folders_of_their_own(temporary: Path) -> None:
    with ScratchFolder("digest") as first, ScratchFolder("digest") as second, ScratchFolder("digest") as third:
        assert len({first.path, second.path, third.path}) == 3
        for folder in (first, second, third):
            fill(folder, folder.path.name)
        second.remove()
        assert (first.path / "file").exists() and (third.path / "file").exists()
        with ScratchFolder("digest") as fourth:
            assert fourth.path == second.path and not fourth.path.exists()
    assert left(temporary) == []


def test_other_names_are_other_folders() -> None:
    with ScratchFolder("one") as one, ScratchFolder("two") as two:
        assert (one.path.name, two.path.name) == ("one", "two")


KILLED = """
import os, signal
from trainer_module.prefix_cache.scratch_folder import ScratchFolder
folders = [ScratchFolder("digest"), ScratchFolder("digest")]
for folder in folders:
    folder.path.mkdir()
    (folder.path / "file").write_text(folder.path.name)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_killed_runs_left_is_taken_up(temporary: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary)}
    process = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    assert process.returncode == -signal.SIGKILL
    with ScratchFolder("digest") as first, ScratchFolder("digest") as second:
        assert [(folder.path / "file").read_text() for folder in (first, second)] == ["digest", "digest-2"]
    assert left(temporary) == []


def test_a_lock_that_its_owner_has_just_removed_is_no_lock(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run opens it, its owner ends, the other run locks what is no longer there; then a third run comes."""
    owner = ScratchFolder("digest")
    flock = scratch_folder.fcntl.flock

    def owner_ends_first(*args: int) -> None:
        monkeypatch.setattr(scratch_folder.fcntl, "flock", flock)
        owner.remove()
        flock(*args)

    monkeypatch.setattr(scratch_folder.fcntl, "flock", owner_ends_first)
    with ScratchFolder("digest") as other, ScratchFolder("digest") as third:
        assert other.path != third.path
    assert left(temporary) == []
