"""The order of the classes in a model's answers."""

import pytest

from trainer_module.features import in_class_order


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([b"1", b"0"], [b"0", b"1"]),
        ([b"0", b"1"], [b"0", b"1"]),
        ([b"10", *(b"%d" % number for number in range(10))], [b"%d" % number for number in range(11)]),
    ],
)
def test_classes_that_are_numbers_from_zero_on_are_at_their_own_index(
    labels: list[bytes], expected: list[bytes]
) -> None:
    assert in_class_order(labels) == expected


@pytest.mark.parametrize(
    "labels",
    [[b"spam", b"ham"], [b"2", b"1"], [b"1", b"-1"], [b"2", b"0"], [b"01", b"0"], [b"1", b"0", b"other"], [b"1"], []],
)
def test_other_classes_stay_as_transform_has_them(labels: list[bytes]) -> None:
    assert in_class_order(labels) == labels
