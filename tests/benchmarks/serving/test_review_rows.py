"""Requests are real rows of exactly ten words."""

from pathlib import Path

import pytest

from benchmarks.serving.review_rows import Review, read_reviews
from trainer_module.errors import UserError


def test_longer_rows_are_cut_and_shorter_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text(
        "a b c d e f g h i j k l\t1\n"  # twelve words
        "only nine words are in this row of text\t0\n"
        "one  two three four five six seven eight nine ten\t0\n",
        encoding="utf-8",
    )
    assert read_reviews(str(path)) == [
        Review("a b c d e f g h i j", "1"),
        Review("one two three four five six seven eight nine ten", "0"),
    ]


def test_there_are_real_ones(shared_data) -> None:
    reviews = read_reviews(str(shared_data("SST-2-sentence") / "train.tsv"))
    assert len(reviews) > 4000
    assert {len(review.text.split()) for review in reviews} == {10}
    assert {review.label for review in reviews} == {"0", "1"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"texts come from .*/train\.tsv, which isn't there"):
        read_reviews(str(tmp_path / "train.tsv"))
