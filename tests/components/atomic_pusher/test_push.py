"""A push is all or nothing; what stays, stays whole."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from components.atomic_pusher import local_push, remote_push
from components.atomic_pusher.model_files import digest_of, model_files
from components.atomic_pusher.origin import Origin, read_origin
from components.atomic_pusher.serving_folder import versions
from trainer_module.errors import UserError

ORIGIN = "assets.extra/pushed_from.json"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_first_version_is_the_time_and_holds_the_model(push_model: Any, model: Path) -> None:
    before = int(time.time())
    pushed = push_model()
    assert before <= pushed.version <= time.time()
    version = Path(pushed.path)
    assert pushed.is_new
    assert version.name == str(pushed.version)
    files = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}
    assert files == {*model_files(str(model)), ORIGIN}
    assert all((version / name).read_bytes() == (model / name).read_bytes() for name in files - {ORIGIN})
    assert read_origin(str(version)) == Origin(model="model/7", model_id=7, digest=digest_of(str(model)))
    assert names(version.parent) == [version.name]


def test_a_version_follows_all_that_are_there(push_model: Any, tmp_path: Path) -> None:
    """Though the clock is behind them, and one is a file or has zeros in front."""
    for name in ("3", "99999999999"):
        (tmp_path / "serving" / name).mkdir(parents=True)
    (tmp_path / "serving" / "0099999999999000").touch()
    assert push_model().version == 99999999999001


def test_the_same_artifact_is_pushed_once(push_model: Any) -> None:
    first, again = push_model(), push_model()
    assert (again.version, again.path, again.is_new) == (first.version, first.path, False)


def test_an_artifact_that_is_no_longer_the_newest_is_pushed_again(push_model: Any, tmp_path: Path) -> None:
    pushed = [push_model(model_id=model_id).version for model_id in (7, 8, 7)]
    assert sorted(set(pushed)) == pushed
    assert [int(name) for name in names(tmp_path / "serving")] == pushed


def test_other_content_at_the_same_address_is_pushed(push_model: Any, model: Path) -> None:
    """As where somebody removed ML Metadata, which then counts from 1 again."""
    first = push_model()
    (model / "variables" / "variables.index").write_bytes(b"another")
    second = push_model()
    assert second.is_new
    assert second.version > first.version


@pytest.mark.parametrize("note", ["{", "[]", '{"model": 3}'])
def test_a_note_that_cannot_be_read_is_no_note(push_model: Any, note: str) -> None:
    first = push_model()
    Path(first.path, ORIGIN).write_text(note)
    assert push_model().is_new


@pytest.fixture(params=[True, False], ids=["renamed", "file by file"])
def can_rename(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(local_push, "can_rename", lambda folder: request.param)
    return bool(request.param)


def test_old_versions_go_and_what_is_no_version_stays(push_model: Any, tmp_path: Path, can_rename: bool) -> None:
    serving = tmp_path / "serving"
    for name in ("1", "2", "backup", "3.bak"):
        (serving / name).mkdir(parents=True)
        (serving / name / "saved_model.pb").touch()
    (serving / "README").touch()
    pushed = push_model(keep=2)
    assert names(serving) == sorted(["2", str(pushed.version), "3.bak", "README", "backup"])
    last = push_model(model_id=8, keep=1)
    assert names(serving) == sorted([str(last.version), "3.bak", "README", "backup"])


def test_the_live_version_is_never_pruned(push_model: Any, tmp_path: Path, can_rename: bool) -> None:
    pushed = [push_model(keep=1) for _ in range(3)]
    assert {each.version for each in pushed} == {pushed[0].version}
    assert names(tmp_path / "serving") == [str(pushed[0].version)]


def test_a_version_that_cannot_be_removed_is_a_warning(
    push_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The new one is live: nothing of that is undone."""
    old = push_model()
    rename = os.rename

    def refuse(source: str, target: str) -> None:
        if source == old.path:
            raise PermissionError(13, "Permission denied", source)
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    new = push_model(model_id=8, keep=1)
    assert names(tmp_path / "serving") == [str(old.version), str(new.version)]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith(f"push.keep_versions: version {old.version} can't be removed from {tmp_path}/serving: ")


def test_the_next_push_removes_what_an_interrupted_one_left(push_model: Any, tmp_path: Path) -> None:
    serving = tmp_path / "serving"
    for name in (".permafrost-pushing-17", ".permafrost-pruned-9", ".git"):
        (serving / name / "variables").mkdir(parents=True)
    pushed = push_model()
    assert names(serving) == [".git", str(pushed.version)]


def put_odd_entry(path: Path, kind: str) -> None:
    """Puts something other than a folder at `path`; a link points to a folder with a file."""
    if kind == "file":
        path.write_text("content")
        return
    target = path.parent.parent / "elsewhere"
    (target / "variables").mkdir(parents=True)
    (target / "saved_model.pb").touch()
    path.symlink_to(target if kind == "link" else target / "nowhere")


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_an_odd_entry_with_a_numeric_name_is_no_version(
    push_model: Any, tmp_path: Path, can_rename: bool, kind: str
) -> None:
    """TensorFlow Serving looks at names only, so new versions follow it all the same."""
    serving = tmp_path / "serving"
    (serving / "1").mkdir(parents=True)
    odd = int(time.time()) + 1000
    put_odd_entry(serving / str(odd), kind)
    assert list(versions(str(serving))) == [1]
    pushed = [push_model(model_id=model_id, keep=1).version for model_id in (7, 8, 8)]
    assert pushed == [odd + 1, odd + 2, odd + 2]
    assert names(serving) == [str(odd), str(odd + 2)]


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
@pytest.mark.parametrize("name", [".permafrost-pushing-17", ".permafrost-pruned-9"])
def test_a_leftover_of_any_kind_is_removed(push_model: Any, tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "serving").mkdir()
    put_odd_entry(tmp_path / "serving" / name, kind)
    pushed = push_model()
    assert names(tmp_path / "serving") == [str(pushed.version)]
    assert kind != "link" or (tmp_path / "elsewhere" / "saved_model.pb").exists(), "what a link points to stays"


def test_what_a_link_inside_a_leftover_points_to_stays(push_model: Any, tmp_path: Path) -> None:
    leftover = tmp_path / "serving" / ".permafrost-pushing-17"
    leftover.mkdir(parents=True)
    put_odd_entry(leftover / "variables", "link")
    push_model()
    assert not leftover.exists()
    assert (tmp_path / "serving" / "elsewhere" / "saved_model.pb").exists()


def test_a_leftover_that_cannot_be_removed_is_a_warning(
    push_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    leftover = tmp_path / "serving" / ".permafrost-pruned-9"
    leftover.mkdir(parents=True)
    error = PermissionError(13, "Permission denied", str(leftover))
    monkeypatch.setattr(shutil, "rmtree", Mock(side_effect=error))
    pushed = push_model()
    assert pushed.is_new
    assert names(tmp_path / "serving") == [leftover.name, str(pushed.version)]
    assert caplog.messages[:2] == [
        f"removing {leftover}, which an interrupted push left",
        f"{leftover} can't be removed: {error}; remove it yourself",
    ]


def test_a_number_beyond_int64_counts_for_nothing(push_model: Any, tmp_path: Path, can_rename: bool) -> None:
    beyond = tmp_path / "serving" / str(2**63)
    beyond.mkdir(parents=True)
    pushed = push_model(keep=1)
    assert pushed.version <= time.time()
    assert list(versions(str(tmp_path / "serving"))) == [pushed.version]
    assert beyond.exists()


def test_nothing_can_follow_the_highest_number(push_model: Any, tmp_path: Path, can_rename: bool) -> None:
    highest = tmp_path / "serving" / str(2**63 - 1)
    highest.mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        push_model()
    assert str(caught.value) == (
        f"push.directory: {highest} has the highest number that TensorFlow Serving reads, so that no version can "
        "follow it; remove or rename it, then run again"
    )
    assert names(tmp_path / "serving") == [highest.name]


def damage_variables(version: Path) -> None:
    (version / "variables" / "variables.index").unlink()


def replace_note_by_a_pipe(version: Path) -> None:
    (version / ORIGIN).unlink()
    os.mkfifo(version / ORIGIN)


def replace_note_by_a_folder(version: Path) -> None:
    (version / ORIGIN).unlink()
    (version / ORIGIN).mkdir()


@pytest.mark.parametrize("damage", [damage_variables, replace_note_by_a_pipe, replace_note_by_a_folder])
def test_a_damaged_version_is_not_taken_for_the_push(
    push_model: Any, can_rename: bool, damage: Callable[[Path], None]
) -> None:
    first = push_model()
    damage(Path(first.path))
    second = push_model()
    assert second.is_new
    assert second.version > first.version


def test_where_nothing_can_be_renamed_saved_model_comes_last(
    push_model: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_push, "can_rename", lambda folder: False)
    copied: list[str] = []
    copy_into = remote_push.copy_into

    def listen(file: str, stream: Any) -> None:
        copied.append(os.path.relpath(file, model))
        copy_into(file, stream)

    monkeypatch.setattr(remote_push, "copy_into", listen)
    pushed = push_model()
    assert sorted(copied) == model_files(str(model))
    assert copied[-1] == "saved_model.pb"
    assert all(Path(pushed.path, name).read_bytes() == (model / name).read_bytes() for name in copied)
    assert not push_model().is_new

    def fail_at_the_last(file: str, stream: Any) -> None:
        listen(file, stream)
        if file.endswith("saved_model.pb"):
            raise OSError("the connection was lost")

    monkeypatch.setattr(remote_push, "copy_into", fail_at_the_last)
    with pytest.raises(OSError, match="the connection was lost"):
        push_model(model_id=8)
    assert names(tmp_path / "serving") == [str(pushed.version)]


def test_a_version_without_saved_model_is_an_interrupted_pushs(
    push_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it has a push's note; and its number, which a reader may have looked at, isn't used again."""
    monkeypatch.setattr(local_push, "can_rename", lambda folder: False)
    serving = tmp_path / "serving"
    half = int(time.time()) + 1000
    for name in ("5/README", f"{half}/variables/variables.index", f"{half}/{ORIGIN}"):
        (serving / name).parent.mkdir(parents=True)
        (serving / name).touch()
    assert push_model().version == half + 1
    assert names(serving) == [str(half + 1), "5"]


@pytest.mark.parametrize(
    ("folder", "can"),
    [("/srv/models", True), ("gs://b/serving", False), ("/gcs/b/serving", False), ("/gcs", False), ("/gcs2/b", True)],
)
def test_where_a_folder_can_be_renamed(folder: str, can: bool) -> None:
    assert local_push.can_rename(folder) is can


# What a disk refuses.


def test_a_full_disk_is_told_before_anything_is_copied(push_model: Any, mounted: Callable[..., Any]) -> None:
    with mounted("size=400k") as disk:
        live = push_model(disk / "serving")
        inode = (disk / "serving").stat().st_mtime_ns
        with pytest.raises(UserError) as caught:
            push_model(disk / "serving", model_id=8)
        assert names(disk / "serving") == [str(live.version)]
        assert (disk / "serving").stat().st_mtime_ns == inode, "nothing was made there for a while"
    assert str(caught.value) == (
        f"push.directory: {disk}/serving has no room for the model: it needs 0.3 MiB, and 0.1 MiB are free; remove "
        "something from that disk (push.keep_versions keeps old versions from piling up there), then run again; "
        "the versions in it stay as they are"
    )


def test_a_disk_that_fills_while_it_is_copied_is_told_likewise(
    push_model: Any, mounted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes there too, so that the check before doesn't help."""
    monkeypatch.setattr(local_push, "require_room", lambda *_: None)
    with mounted("size=400k") as disk:
        live = push_model(disk / "serving")
        with pytest.raises(UserError, match=r"^push\.directory: .*/serving has no room for the model: it needs"):
            push_model(disk / "serving", model_id=8)
        assert names(disk / "serving") == [str(live.version)]
        assert Path(live.path, "variables/variables.data-00000-of-00001").stat().st_size == 290_000


def test_what_an_interrupted_push_left_takes_no_room(push_model: Any, mounted: Callable[..., Any]) -> None:
    with mounted("size=400k") as disk:
        (disk / "serving" / ".permafrost-pushing-1").mkdir(parents=True)
        (disk / "serving" / ".permafrost-pushing-1" / "variables").write_bytes(bytes(300_000))
        assert push_model(disk / "serving").is_new


def test_a_read_only_disk_is_told(push_model: Any, mounted: Callable[..., Any]) -> None:
    with mounted("size=4m") as disk:
        live = push_model(disk / "serving")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(UserError) as caught:
            push_model(disk / "serving", model_id=8)
        assert names(disk / "serving") == [str(live.version)]
    message = str(caught.value)
    assert message.startswith(f"push.directory: {disk}/serving is on a disk that is mounted read-only; mount it for ")
    assert message.endswith("; the versions in it stay as they are")


def test_a_folder_of_somebody_else_is_told(push_model: Any, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs the right to become another user")
    live = push_model()
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        with pytest.raises(UserError) as caught:
            push_model(model_id=8)
    finally:
        os.seteuid(0)
    message = str(caught.value)
    assert message.startswith(f"push.directory: {tmp_path}/serving can't be written by user 65534; give this user the ")
    assert names(tmp_path / "serving") == [str(live.version)]


def test_a_file_in_the_folders_place_is_told(push_model: Any, tmp_path: Path) -> None:
    (tmp_path / "serving").write_text("not a folder")
    with pytest.raises(UserError, match=r"^push\.directory: .*/serving is not a folder; name another \("):
        push_model()
    assert (tmp_path / "serving").read_text() == "not a folder"


def test_two_pushes_at_once_come_one_after_the_other(push_model: Any, tmp_path: Path) -> None:
    """The second waits as long as the first runs, and no longer than its process lives."""
    (tmp_path / "serving").mkdir()
    holder = subprocess.Popen(
        ["python3", "-c", f"import fcntl, os, time; d = os.open({str(tmp_path / 'serving')!r}, os.O_RDONLY); "
         "fcntl.flock(d, fcntl.LOCK_EX); print(flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        local_push_wait = local_push._LONGEST_WAIT
        local_push._LONGEST_WAIT = 0.3
        with pytest.raises(UserError, match="another process has been pushing into"):
            push_model()
    finally:
        local_push._LONGEST_WAIT = local_push_wait
        holder.kill()
        holder.wait()
    assert push_model().is_new
