"""The nights side by side, with a cache that is kept and with one that isn't."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table

from benchmarks.nightly.one_night import Level, Night

TITLES = {Level.all: "everything frozen", Level.all_but_top: "all but the top block frozen"}


class Saving(NamedTuple):
    """What all nights but the first took without a kept cache, over what they took with it.

    Attributes:
        encoded: Rows that went through the frozen prefix.
        trainer_seconds: Of the Trainer.
    """

    encoded: float
    trainer_seconds: float


def saving(nights: Sequence[Night], level: Level) -> Saving:
    """See `Saving`; the first night is left out, because the cache is empty then."""
    anew, kept = (_later(nights, level, kept) for kept in (False, True))
    return Saving(
        sum(night.encoded for night in anew) / sum(night.encoded for night in kept),
        sum(night.trainer_seconds for night in anew) / sum(night.trainer_seconds for night in kept),
    )


def nights_table(nights: Sequence[Night], level: Level) -> Table:
    """One line per night, and the ratio of their sums.

    Args:
        nights: Both kinds, the same number of each; at least two.
        level: Of which they are shown.
    """
    table = Table(
        "night",
        title=f"{TITLES[level]}: a cache kept between nights ÷ none",
        caption="The ratios are those of all nights but the first.",
        title_justify="left",
        caption_justify="left",
    )
    for column in ("rows", "encoded, kept", "encoded, not", "Trainer s, kept", "Trainer s, not", "accuracy"):
        table.add_column(column, justify="right")
    anew, kept = (_of(nights, level, kept) for kept in (False, True))
    for without, found in zip(anew, kept, strict=True):
        table.add_row(
            str(found.night),
            f"{found.rows:,}",
            f"{found.encoded:,}",
            f"{without.encoded:,}",
            f"{found.trainer_seconds:.1f}",
            f"{without.trainer_seconds:.1f}",
            _accuracies(found.accuracy, without.accuracy),
        )
    table.add_section()
    encoded, seconds = saving(nights, level)
    table.add_row("saving", "", "", f"{encoded:.1f}×", "", f"{seconds:.1f}×", "")
    return table


def _accuracies(kept: float, anew: float) -> str:
    return f"{kept:.3f}" if round(kept, 3) == round(anew, 3) else f"{kept:.3f} ({anew:.3f})"


def _of(nights: Sequence[Night], level: Level, kept: bool) -> list[Night]:
    return [night for night in nights if (night.level, night.kept) == (level, kept)]


def _later(nights: Sequence[Night], level: Level, kept: bool) -> list[Night]:
    return [night for night in _of(nights, level, kept) if night.night > 1]
