"""`{SPAN}` in a path: a number that names one delivery of rows, such as a day's."""

import re

LATEST = -1
"""The span with the highest number that there is."""

_SPAN = re.compile(r"\{SPAN(?::\d+)?\}")


def has_span(path: str) -> bool:
    """Whether a path holds `{SPAN}`, or `{SPAN:3}` for a number of three digits.

    Example:
        >>> has_span("rows/day-{SPAN:3}/*.csv")
        True
    """
    return _SPAN.search(path) is not None


def any_span(path: str) -> str:
    """The glob pattern that matches the path of each span.

    Example:
        >>> any_span("rows/day-{SPAN:3}/*.csv")
        'rows/day-*/*.csv'
    """
    return _SPAN.sub("*", path)
