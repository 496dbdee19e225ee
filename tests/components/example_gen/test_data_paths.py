"""Files, folders and patterns as users write them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tfx.dsl.io import fileio

from components.example_gen.data_paths import as_pattern, check_paths, split_base
from trainer_module.errors import UserError

Write = Callable[[str, str | bytes], Path]


def problems_of(train: str, eval: str | None = None) -> list[str]:
    with pytest.raises(UserError) as error:
        check_paths(train, eval)
    return error.value.problems


def test_files_folders_and_patterns_that_exist(write: Write, tmp_path: Path) -> None:
    write("rows/a.csv", "x")
    check_paths(str(tmp_path / "rows" / "a.csv"), str(tmp_path / "rows"))
    check_paths(str(tmp_path / "rows") + "/", str(tmp_path / "*" / "?.csv"))


def test_all_that_is_wrong_is_said_at_once(write: Write, tmp_path: Path) -> None:
    write("train.csv", "x")
    assert problems_of(f"{tmp_path}/trian.csv", f"{tmp_path}/*.tsv") == [
        f"data.train: no such file or folder: {tmp_path}/trian.csv; did you mean '{tmp_path}/train.csv'?",
        f"data.eval: no file matches {tmp_path}/*.tsv",
    ]


def test_empty_paths_and_folders(write: Write, tmp_path: Path) -> None:
    write("rows/.hidden", "x")
    write("rows/_SUCCESS", "")
    write("rows/inner/a.csv", "x")
    assert problems_of("", f"{tmp_path}/rows") == [
        "data.train: is empty; name a file, a folder or a pattern",
        f"data.eval: folder {tmp_path}/rows holds no files (names that begin with a dot or underscore don't count)",
    ]


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "gone.csv")
    assert problems_of(f"{tmp_path}/loop.csv", f"{tmp_path}/one/rows.csv") == [
        f"data.train: {tmp_path}/loop.csv leads in a circle of symbolic links",
        f"data.eval: {tmp_path}/one/rows.csv leads in a circle of symbolic links",
    ]
    assert problems_of(f"{tmp_path}/dangling.csv") == [
        f"data.train: {tmp_path}/dangling.csv is a symbolic link to {tmp_path}/gone.csv, which doesn't exist"
    ]


def test_only_regular_files_are_rows(write: Write, tmp_path: Path) -> None:
    write("rows/a.csv", "x")
    os.mkfifo(tmp_path / "rows" / "b.csv")
    pipe = f"{tmp_path}/rows/b.csv is a named pipe; only regular files can be read"
    assert problems_of("/dev/zero", f"{tmp_path}/rows") == [
        "data.train: /dev/zero is a device; only regular files can be read",
        f"data.eval: {pipe}",
    ]
    assert problems_of(f"{tmp_path}/rows/*.csv", f"{tmp_path}/rows/b.csv") == [
        f"data.train: {pipe}",
        f"data.eval: {pipe}",
    ]


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    path = f"{tmp_path}/{'a' * 300}"
    assert problems_of(path) == [f"data.train: {path} cannot be read: File name too long"]


def test_a_folder_means_its_visible_files(write: Write, tmp_path: Path) -> None:
    names = {str(write(f"rows/{name}", "x")) for name in ["a.csv", "b", "c_.tsv"]}
    write("rows/.hidden", "x")
    write("rows/_SUCCESS", "")
    assert set(fileio.glob(as_pattern(str(tmp_path / "rows")))) == names


def test_wildcards_in_the_name_of_a_file_that_exists_are_no_wildcards(write: Write) -> None:
    path = write("odd [1]/a*b?.csv", "x")
    write("odd [1]/a_b_.csv", "x")
    check_paths(str(path), str(path.parent))
    assert fileio.glob(as_pattern(str(path))) == [str(path)]


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("gs://b/rows/", "gs://b/rows/[!._]*"),
        ("gs://b/rows", "gs://b/rows/[!._]*"),
        ("gs://b/rows.csv", "gs://b/rows.csv"),
        ("gs://b/part-*", "gs://b/part-*"),
        ("/gcs/b/rows.csv", "/gcs/b/rows.csv"),
        ("/gcs/b/rows", "/gcs/b/rows/[!._]*"),
    ],
)
def test_paths_that_cannot_be_looked_at(path: str, pattern: str) -> None:
    assert as_pattern(path) == pattern


def test_local_paths_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert as_pattern("rows/a.csv") == f"{tmp_path}/rows/a.csv"


@pytest.mark.parametrize(
    ("patterns", "base", "relative"),
    [
        (["/d/train.csv"], "/d/", ["train.csv"]),
        (["/d/train/*.csv", "/d/eval.csv"], "/d/", ["train/*.csv", "eval.csv"]),
        (["/d/a.csv", "/e/a.csv"], "/", ["d/a.csv", "e/a.csv"]),
        (["/d/*/a.csv", "/d/*/b.csv"], "/d/", ["*/a.csv", "*/b.csv"]),
        (["gs://b/a.csv", "gs://c/a.csv"], "gs://", ["b/a.csv", "c/a.csv"]),
        (["gs://b/x/a.csv", "gs://b/x/c.csv"], "gs://b/x/", ["a.csv", "c.csv"]),
    ],
)
def test_the_common_folder(patterns: list[str], base: str, relative: list[str]) -> None:
    assert split_base(patterns) == (base, relative)


def test_two_kinds_of_storage() -> None:
    with pytest.raises(UserError) as error:
        split_base(["/d/a.csv", "gs://b/a.csv"])
    assert str(error.value) == "data.eval: must be in the same kind of storage as data.train"
