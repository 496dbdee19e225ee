import time
from collections.abc import Callable
from pathlib import Path

from chaos.serving_watch import ServingWatch

FILES = ("saved_model.pb", "variables/variables.index", "assets.extra/pushed_from.json")


def write_version(folder: Path, names: tuple[str, ...] = FILES) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("content")
    return folder


def watched(serving: Path, what_happens: Callable[[], object]) -> list[str]:
    with ServingWatch(serving) as watch:
        time.sleep(0.2)
        what_happens()
        time.sleep(0.2)
    return watch.complaints


def test_a_version_that_appears_whole_is_fine(tmp_path: Path):
    serving = tmp_path / "serving"
    serving.mkdir()
    draft = write_version(serving / ".permafrost-pushing-7")
    assert watched(serving, lambda: draft.rename(serving / "7")) == []


def test_a_version_that_appears_half_written_is_seen(tmp_path: Path):
    complaints = watched(tmp_path, lambda: write_version(tmp_path / "7", FILES[:1]))
    assert "version 7 appeared without variables/variables.index, assets.extra/pushed_from.json" in complaints


def test_a_version_that_changes_is_seen(tmp_path: Path):
    version = write_version(tmp_path / "7")
    complaints = watched(tmp_path, lambda: (version / "saved_model.pb").write_text("other content"))
    assert complaints == ["version 7 changed while it could be read"]


def test_a_version_that_is_taken_away_in_one_step_is_fine(tmp_path: Path):
    version = write_version(tmp_path / "7")
    assert watched(tmp_path, lambda: version.rename(tmp_path / ".permafrost-pruned-7")) == []


def test_what_is_no_version_is_not_looked_at(tmp_path: Path):
    def put_odd_entries() -> None:
        (tmp_path / "7").touch()
        (tmp_path / "8").symlink_to(tmp_path)
        (tmp_path / str(2**63)).mkdir()

    assert watched(tmp_path, put_odd_entries) == []
