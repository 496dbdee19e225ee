"""How far two sets of rows are apart."""

import pytest

from components.data_gate.distances import (
    label_distance,
    text_length_distance,
    unknown_token_distance,
    vocabulary_distance,
)
from components.data_profile.profile import LENGTH_EDGES, SplitProfile


def rows(**given: object) -> SplitProfile:
    nothing = {"rows": 4, "text_lengths": [4, *[0] * (len(LENGTH_EDGES) - 1)], "tokens": 0, "unknown_tokens": 0}
    return SplitProfile.model_validate(nothing | {"pieces": {}} | given)


def test_labels_by_the_class_whose_share_changed_most() -> None:
    found = label_distance(rows(labels={"a": 50, "b": 25, "c": 25}), rows(labels={"a": 1, "d": 3}))
    assert found is not None
    assert found.value == 0.75
    assert found.changes == "most: 'd' from 0.0% to 75.0%, 'a' from 50.0% to 25.0%, 'b' from 25.0% to 0.0%"


def test_numbers_by_their_cumulative_distributions() -> None:
    before = [number / 100 for number in range(101)]
    found = label_distance(rows(label_quantiles=before), rows(label_quantiles=[each + 0.5 for each in before]))
    assert found is not None
    assert found.value == pytest.approx(0.5, abs=0.01)
    assert found.changes == "the median from 0.5 to 1"


def test_classes_and_numbers_cannot_be_compared() -> None:
    assert label_distance(rows(labels={"a": 1}), rows(label_quantiles=[1.0])) is None


def test_lengths() -> None:
    def only(bucket: int) -> SplitProfile:
        return rows(text_lengths=[4 * (index == bucket) for index in range(len(LENGTH_EDGES))])

    same = text_length_distance(only(5), only(5))
    assert same.value == 0
    other = text_length_distance(only(3), only(len(LENGTH_EDGES) - 1))
    assert other.value == pytest.approx(1)
    assert other.changes.startswith(
        "most: texts of 1024 and more word pieces from 0.0% to 100.0%, texts of 3 word pieces from 100.0% to 0.0%"
    )


def test_word_pieces_that_are_rare_on_both_sides_count_together() -> None:
    frequent = {f"common{number}": 10 for number in range(1000)}
    before = rows(tokens=10_100, pieces=frequent | {f"rare{number}": 1 for number in range(100)})
    after = rows(tokens=10_100, pieces=frequent | {f"other{number}": 1 for number in range(100)})
    found = vocabulary_distance(before, after)
    assert found is not None
    assert found.value == pytest.approx(0, abs=1e-12)
    gone = vocabulary_distance(before, rows(tokens=10, pieces={"new": 10}))
    assert gone is not None
    assert gone.value == pytest.approx(1)
    assert gone.changes.startswith("most: 'new' from 0.0% to 100.0%, all others from 1.0% to 0.0%")


def test_texts_of_no_word_pieces() -> None:
    assert vocabulary_distance(rows(), rows(tokens=1, pieces={"a": 1})) is None
    assert unknown_token_distance(rows(), rows(tokens=1)) is None


def test_unknown_word_pieces() -> None:
    found = unknown_token_distance(rows(tokens=100, unknown_tokens=10), rows(tokens=1000, unknown_tokens=10))
    assert found is not None
    assert found.value == pytest.approx(0.09)
    assert found.changes == "from 10.00% to 1.00% of all word pieces"
    assert unknown_token_distance(rows(tokens=1, unknown_tokens=None), rows(tokens=1)) is None
