"""A private copy is the original's content at one moment, named by its digest."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trainer_module.errors import UserError
from trainer_module.hub.private_copy import private_copy

REPOSITORY = Path(__file__).parents[3]
FILES = ["saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index", "assets/vocab.txt"]


@pytest.fixture
def model(tiny_hub: Path, tmp_path: Path) -> Path:
    """A model that the test may change."""
    return Path(shutil.copytree(tiny_hub, tmp_path / "model"))


def digest(path: Path | str) -> str:
    return private_copy(str(path)).digest


def flip_byte(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def test_it_holds_what_is_digested_and_nothing_else(model: Path) -> None:
    (model / "assets.extra").mkdir()
    (model / "assets.extra" / "note.txt").write_text("not part of the content")
    folder = Path(private_copy(str(model)).folder)
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files == {Path(file): (model / file).read_bytes() for file in FILES}


def test_nobody_else_can_reach_it(model: Path) -> None:
    folder = Path(private_copy(str(model)).folder)
    assert folder.parent.parent.stat().st_mode & 0o777 == 0o700


def test_it_stays_as_it_was_when_the_original_changes(model: Path) -> None:
    before = private_copy(str(model))
    graph = Path(before.folder, "saved_model.pb").read_bytes()
    flip_byte(model / "saved_model.pb", 0)
    assert private_copy(str(model)) != before
    assert Path(before.folder, "saved_model.pb").read_bytes() == graph


def test_the_same_content_is_copied_once(model: Path, tiny_hub: Path) -> None:
    assert private_copy(str(model)) == private_copy(str(tiny_hub)) == private_copy(f"{model}/")


def test_the_digest_is_that_of_the_copy_when_the_original_changes_meanwhile(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip_byte(model / "assets" / "vocab.txt", 0)  # a content that wasn't copied yet
    opened = open

    def change_before_copying(file: str, mode: str) -> object:
        if file != os.devnull:
            (model / "assets" / "vocab.txt").write_text("other")
        return opened(file, mode)

    monkeypatch.setattr("trainer_module.hub.private_copy.open", change_before_copying, raising=False)
    found = private_copy(str(model))
    monkeypatch.undo()
    assert Path(found.folder, "assets", "vocab.txt").read_text() == "other"
    assert found.digest == digest(model)


def test_the_digest_is_the_same_wherever_the_model_lies(tiny_hub: Path, model: Path) -> None:
    assert digest(tiny_hub).startswith("sha256:") and len(digest(tiny_hub)) == len("sha256:") + 64
    assert digest(model) == digest(tiny_hub)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("position", [0, -1])
def test_the_digest_changes_with_one_flipped_bit(model: Path, file: str, position: int) -> None:
    before = digest(model)
    flip_byte(model / file, position)
    assert digest(model) != before
    flip_byte(model / file, position)
    assert digest(model) == before


def test_the_digest_covers_names_of_files(model: Path) -> None:
    before = digest(model)
    (model / "assets" / "vocab.txt").rename(model / "assets" / "words.txt")
    assert digest(model) != before


@pytest.mark.parametrize("file", FILES)
def test_what_is_not_a_regular_file_is_refused_unread(model: Path, file: str) -> None:
    (model / file).unlink()
    os.mkfifo(model / file)
    with pytest.raises(UserError) as error:
        private_copy(str(model), "model.preprocess")
    assert str(error.value) == (
        f"model.preprocess: {model / file} is not a regular file but a pipe, a device or a socket; "
        "put the file itself there"
    )


def test_a_full_disk_is_reported_and_nothing_is_left(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip_byte(model / "saved_model.pb", 7)  # a content that wasn't copied yet
    root = Path(private_copy(str(model.parent)).folder).parent
    before = sorted(root.iterdir())
    opened = open

    def full(file: str, mode: str) -> object:
        return opened("/dev/full" if file != os.devnull else file, mode)

    monkeypatch.setattr("trainer_module.hub.private_copy.open", full, raising=False)
    with pytest.raises(UserError, match=rf"the disk is full .* a private copy of {model} can't be written"):
        private_copy(str(model))
    assert sorted(root.iterdir()) == before


def test_nothing_is_left_when_the_process_ends(model: Path, tmp_path: Path) -> None:
    code = (
        "from trainer_module.hub.private_copy import private_copy\n"
        f"print(len(list(__import__('os').scandir(private_copy({str(model)!r}).folder))))"
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "3"
    assert [path for path in temporary.rglob("*") if path.parent != temporary] == []
