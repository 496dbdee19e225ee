"""Both exports get the same requests in turns; only what comes after the warm-up is counted."""

from collections.abc import Sequence

import pytest

from benchmarks.serving.latency import BLOCKS, WARM_UP, Padding, measure

TEXTS = [f"text {number}" for number in range(7)]


class Export:
    """Takes as many milliseconds for a request as it is told, and remembers what it was asked."""

    def __init__(self, asked: list["Export"], milliseconds: Sequence[float]) -> None:
        self._asked = asked
        self._milliseconds = milliseconds
        self.calls: list[list[list[str]]] = []

    def ask(self, signature: str, requests: Sequence[Sequence[str]]) -> list[float]:
        assert signature == "predict_text"
        self._asked.append(self)
        self.calls.append([list(texts) for texts in requests])
        if len(self.calls) == 1:
            return [10_000.0] * len(requests)
        first = (len(self.calls) - 2) * (len(requests) - 1)
        return [5_000.0, *self._milliseconds[first : first + len(requests) - 1]]


@pytest.fixture
def exports() -> tuple[Export, Export]:
    asked: list[Export] = []
    return Export(asked, [float(value) for value in range(1, 101)]), Export(asked, [20.0] * 98 + [90.0] * 2)


def measured(exports: tuple[Export, Export], batch: int = 1) -> dict[Padding, tuple[int, float, float]]:
    given = measure({"longest": exports[0].ask, "max_tokens": exports[1].ask}, TEXTS, "predict_text", batch, 100)
    assert all((each.signature, each.batch) == ("predict_text", batch) for each in given)
    return {each.padding: (each.requests, each.p50_ms, each.p99_ms) for each in given}


def test_percentiles_are_of_the_measured_requests_only(exports: tuple[Export, Export]) -> None:
    assert measured(exports) == {
        "longest": (100, pytest.approx(50.5), pytest.approx(99.01)),
        "max_tokens": (100, 20, 90),
    }


def test_both_are_asked_the_same(exports: tuple[Export, Export]) -> None:
    measured(exports, batch=3)
    assert exports[0].calls == exports[1].calls
    warm_up, *blocks = exports[0].calls
    assert len(warm_up) == WARM_UP and len(blocks) == BLOCKS
    assert all(len(texts) == 3 for requests in exports[0].calls for texts in requests)
    assert warm_up[:3] == [
        ["text 0", "text 1", "text 2"],
        ["text 3", "text 4", "text 5"],
        ["text 6", "text 0", "text 1"],
    ]


def test_they_take_turns_and_the_first_of_a_turn_changes(exports: tuple[Export, Export]) -> None:
    measured(exports)
    ours, other = exports
    assert ours._asked == [ours, other] + [ours, other, other, ours] * (BLOCKS // 2)


def test_the_first_request_of_a_block_is_asked_twice(exports: tuple[Export, Export]) -> None:
    measured(exports)
    for block in exports[0].calls[1:]:
        assert len(block) == 100 // BLOCKS + 1
        assert block[0] == block[1] != block[2]
