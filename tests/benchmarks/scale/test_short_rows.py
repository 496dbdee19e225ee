"""Rows are short, made of real clauses, nearly all different, and the same for the same seed."""

from pathlib import Path

import pytest

from benchmarks.scale.short_rows import write_rows
from trainer_module.errors import UserError

SOURCE = """\
the story is told with more heart than skill and it still works in the end\t1
a warm and funny film about people who never quite grow up\t1
good fun\t1
dull from the first scene to the last and badly lit at that\t0
nobody in this film seems to know why they are in it\t0
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.tsv"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def written(source: Path, count: int, seed: int = 0) -> list[tuple[list[str], str]]:
    target = source.with_name("rows.tsv")
    write_rows(source, target, count, seed)
    rows = [line.split("\t") for line in target.read_text(encoding="utf-8").splitlines()]
    return [(sentence.split(" "), label) for sentence, label in rows]


def test_there_are_as_many_rows_as_asked_for_with_5_to_15_words(source: Path) -> None:
    rows = written(source, 400)
    assert len(rows) == 400
    assert {len(words) for words, _ in rows} == set(range(5, 16))


def test_a_row_has_words_of_rows_with_its_label_only(source: Path) -> None:
    words_of: dict[str, set[str]] = {"0": set(), "1": set()}
    for line in SOURCE.splitlines():
        sentence, label = line.split("\t")
        words_of[label] |= set(sentence.split())
    rows = written(source, 400)
    assert {label for _, label in rows} == {"0", "1"}
    assert all(set(words) <= words_of[label] for words, label in rows)


def test_the_first_words_are_a_clause_of_a_source_row(source: Path) -> None:
    sentences = [f" {line.split(chr(9))[0]} " for line in SOURCE.splitlines()]
    for words, _ in written(source, 100):
        assert any(f" {' '.join(words[:2])} " in sentence for sentence in sentences)


def test_the_seed_decides(source: Path) -> None:
    assert written(source, 50, seed=1) == written(source, 50, seed=1)
    assert written(source, 50, seed=1) != written(source, 50, seed=2)


def test_rows_of_real_reviews_hardly_repeat(shared_data, tmp_path: Path) -> None:
    write_rows(shared_data("SST-2-sentence") / "train.tsv", tmp_path / "rows.tsv", 2000, seed=0)
    lines = (tmp_path / "rows.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2000 and len(set(lines)) > 1990


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"texts come from .*/nowhere\.tsv, which isn't there"):
        write_rows(tmp_path / "nowhere.tsv", tmp_path / "rows.tsv", 1, 0)
    assert not (tmp_path / "rows.tsv").exists()
