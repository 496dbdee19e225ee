"""Looking many keys up at once."""

import numpy as np

from trainer_module.prefix_cache.key_table import KeyTable


def keys(*texts: str) -> np.ndarray:
    return np.frombuffer("".join(text.ljust(16, "-") for text in texts).encode(), np.uint8).reshape(-1, 16)


def test_an_empty_table_finds_nothing() -> None:
    found, entries = KeyTable().look_up(keys("a", "b"))
    assert found.tolist() == [False, False]
    assert len(entries) == 0


def test_entries_come_in_the_order_of_the_keys_asked_for() -> None:
    table = KeyTable()
    table.insert(keys("b", "a", "c"), np.array([2, 3, 4]), segment=0)
    table.insert(keys("aa", "bb"), np.array([5, 6]), segment=1)
    found, entries = table.look_up(keys("c", "x", "bb", "a", "c"))
    assert found.tolist() == [True, False, True, True, True]
    assert entries["segment"].tolist() == [0, 1, 0, 0]
    assert entries["offset"].tolist() == [5, 5, 2, 5]
    assert entries["length"].tolist() == [4, 6, 3, 4]


def test_keys_that_share_their_first_half_are_told_apart() -> None:
    table = KeyTable()
    shared = [f"same-8-b{number:08}" for number in range(50)]
    table.insert(keys(*shared[:40]), np.arange(40), segment=0)
    found, entries = table.look_up(keys(*reversed(shared)))
    assert found.tolist() == [False] * 10 + [True] * 40
    assert entries["length"].tolist() == list(reversed(range(40)))


def test_after_a_segment_is_dropped_its_keys_are_found_in_the_others() -> None:
    table = KeyTable()
    for segment in range(3):
        table.insert(keys("a", f"only {segment}"), np.array([1, 1]), segment)
    for dropped, left in ((2, {0, 1}), (0, {1}), (1, set())):
        table.drop(dropped)
        found, entries = table.look_up(keys("a"))
        assert found.tolist() == [bool(left)]
        assert set(entries["segment"].tolist()) <= left
        assert table.look_up(keys(f"only {dropped}"))[0].tolist() == [False]


def test_offsets_beyond_what_32_bits_hold() -> None:
    table = KeyTable()
    table.insert(keys("a", "b", "c"), np.array([2**31 - 1] * 3, np.int32), segment=0)
    assert table.look_up(keys("c"))[1]["offset"].tolist() == [2**32 - 2]
