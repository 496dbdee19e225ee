"""The first night is shown, but only the later ones count for the saving."""

import io

import pytest
from rich.console import Console

from benchmarks.nightly.one_night import Level, Night
from benchmarks.nightly.table import nights_table, saving


def made(kept: bool, night: int, encoded: int, seconds: float, level: Level = Level.all) -> Night:
    return Night(
        level=level,
        kept=kept,
        night=night,
        rows=2100,
        encoded=encoded,
        trainer_seconds=seconds,
        seconds=2 * seconds,
        accuracy=0.75 if kept else 0.7521,
    )


@pytest.fixture
def nights() -> list[Night]:
    return [
        made(False, 1, 2100, 20),
        made(True, 1, 2100, 21),
        made(False, 2, 2100, 20),
        made(True, 2, 300, 8),
        made(False, 3, 2100, 20),
        made(True, 3, 300, 12),
        made(True, 2, 1, 1, Level.all_but_top),
    ]


def test_the_saving_is_that_of_all_nights_but_the_first(nights: list[Night]) -> None:
    assert saving(nights, Level.all) == (7.0, 2.0)


def test_each_night_is_shown_with_both(nights: list[Night]) -> None:
    text = io.StringIO()
    Console(file=text, width=140).print(nights_table(nights, Level.all))
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.getvalue().splitlines() if "│" in line]
    assert lines == [
        ["1", "2,100", "2,100", "2,100", "21.0", "20.0", "0.750 (0.752)"],
        ["2", "2,100", "300", "2,100", "8.0", "20.0", "0.750 (0.752)"],
        ["3", "2,100", "300", "2,100", "12.0", "20.0", "0.750 (0.752)"],
        ["saving", "", "", "7.0×", "", "2.0×", ""],
    ]
