"""A row that can't be used, and why."""

from typing import NamedTuple

WRONG_FIELD_COUNT = "wrong number of fields"
STRAY_QUOTE = "stray quote"
EMPTY_TEXT = "empty text"
NOT_TEXT = "text that is not one UTF-8 string"
NO_LABEL = "no label"
NOT_A_LABEL = "several values as label"
LINE_BREAK = "line break in the label"
NOT_A_NUMBER = "label is not a finite number"


class BadRow(NamedTuple):
    """One row left out.

    Attributes:
        file: Where it is.
        number: Its first line (delimited text) or its position among the records, from 1.
        reason: One of this module's constants, so that rows can be counted by it.
        missing: The needed columns that the row doesn't have at all (tf.Examples only).
        present: The columns that it has, when some are missing.
    """

    file: str
    number: int
    reason: str
    missing: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
