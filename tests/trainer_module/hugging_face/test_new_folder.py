import pytest

from trainer_module.errors import UserError
from trainer_module.hugging_face.new_folder import new_folder, refuse_occupied


@pytest.mark.parametrize("beforehand", [False, True])
def test_appears_when_complete(tmp_path, beforehand):
    path = tmp_path / "deep" / "folder"
    if beforehand:
        path.mkdir(parents=True)
    with new_folder(path) as folder:
        (folder / "file").write_text("content")
        assert not (path / "file").exists()
    assert (path / "file").read_text() == "content"
    assert [left.name for left in path.parent.iterdir()] == ["folder"]


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "folder") as folder:
        (folder / "file").touch()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_refuses_what_is_taken(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UserError, match="is not a folder"):
        refuse_occupied(tmp_path / "file")
    with pytest.raises(UserError, match="is not empty"), new_folder(tmp_path / "full"):
        raise AssertionError("never reached")


def test_refuses_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="can't be written"), new_folder(tmp_path / "file" / "folder"):
        raise AssertionError("never reached")


def test_a_folder_filled_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "folder"
    with pytest.raises(UserError, match="can't be written"), new_folder(path):
        path.mkdir()
        (path / "other").touch()
    assert [left.name for left in path.iterdir()] == ["other"]
    assert [left.name for left in tmp_path.iterdir()] == ["folder"]
