"""`{SPAN}` or `{YYYY}`, `{MM}`, `{DD}` in a path: which delivery of rows, such as a day's; `{VERSION}`: which of its
corrections.

They mean what they do to TFX (tfx/components/example_gen/utils.py), which isn't imported to read a config.
A date is the number of days since 1970-01-01.
"""

import datetime
import re
from collections.abc import Sequence

LATEST = -1
"""The span with the highest number that there is."""

NEWEST = "newest"
"""In the place of a path to evaluation rows: the newest span of the window."""

LARGEST_SPAN = (1 << 63) - 1
"""More don't fit into ML Metadata; versions neither."""

LAST_DATE = datetime.date(9999, 12, 31)

_FIRST_DATE = datetime.date(1970, 1, 1)
_DATE_PARTS = ["{YYYY}", "{MM}", "{DD}"]
_SPAN = re.compile(r"\{SPAN(?::[^}]*)?\}")
_VERSION = re.compile(r"\{VERSION(?::[^}]*)?\}")

_MOST_NAMED = 20
_DATE = re.compile("|".join(re.escape(part) for part in _DATE_PARTS))
_ANY = re.compile(f"{_SPAN.pattern}|{_VERSION.pattern}|{_DATE.pattern}")
_WIDTH = re.compile(r"\{(?:SPAN|VERSION):(?!0*[1-9]\d{0,2}\})[^}]*\}")


def has_span(path: str) -> bool:
    """Whether a path says where its spans are.

    Example:
        >>> [has_span(path) for path in ("rows/day-{SPAN:3}/*.csv", "rows/{YYYY}-{MM}-{DD}.csv", "rows/*.csv")]
        [True, True, False]
    """
    return is_dated(path) or _SPAN.search(path) is not None


def is_dated(path: str) -> bool:
    """Whether a path's spans are named by their dates."""
    return _DATE.search(path) is not None


def has_version(path: str) -> bool:
    """Whether a path says where the versions of a span are."""
    return _VERSION.search(path) is not None


def any_span(path: str) -> str:
    """The glob pattern that matches the path of each span, in each version.

    Example:
        >>> any_span("rows/day-{SPAN:3}/v{VERSION}/*.csv")
        'rows/day-*/v*/*.csv'
    """
    return _ANY.sub("*", path)


def span_of(date: datetime.date) -> int:
    """The number of a day."""
    return (date - _FIRST_DATE).days


def span_name(span: int, path: str) -> str:
    """A span as a user knows it.

    Example:
        >>> [span_name(20784, path) for path in ("rows/{SPAN}/*.csv", "rows/{YYYY}-{MM}-{DD}.csv")]
        ['20784', '20784 (2026-11-27)']
    """
    if not is_dated(path) or not 0 <= span <= span_of(LAST_DATE):
        return str(span)
    return f"{span} ({_FIRST_DATE + datetime.timedelta(days=span)})"


def span_names(spans: Sequence[int], path: str) -> str:
    """The first of them."""
    named = ", ".join(span_name(span, path) for span in spans[:_MOST_NAMED])
    return named + (f" and {len(spans) - _MOST_NAMED} more" if len(spans) > _MOST_NAMED else "")


def path_problems(path: str) -> list[str]:
    """What is wrong with the placeholders in a path."""
    dates = _DATE.findall(path)
    numbers = len(_SPAN.findall(path))
    versions = len(_VERSION.findall(path))
    problems = [f"{found} is no placeholder; its width must be a number, as in {{SPAN:3}}" for found in _width(path)]
    if dates and numbers:
        problems.append("holds {SPAN} beside a date; a span is named by one of them")
    elif dates and sorted(dates) != sorted(_DATE_PARTS):
        problems.append("must hold each of {YYYY}, {MM} and {DD} once, to name days")
    if numbers > 1 or versions > 1:
        problems.append(f"holds {'{SPAN}' if numbers > 1 else '{VERSION}'} more than once")
    if versions and not numbers and not dates:
        problems.append("holds {VERSION} without {SPAN} or {YYYY}, {MM} and {DD}, of which it would be a version")
    return problems


def eval_problem(train: str, eval: str | None) -> str | None:
    """What is wrong with the evaluation rows' place, beside the training rows'."""
    if eval is None:
        return None
    if eval == NEWEST:
        return None if has_span(train) else no_place(train)
    of_train, of_eval = ((has_span(path), is_dated(path), has_version(path)) for path in (train, eval))
    if of_train != of_eval:
        return "must hold {SPAN}, {VERSION} or a date where data.train does, and only there"
    return None


def window_problem(train: str, eval: str | None, window: int) -> str | None:
    """What is wrong with the number of spans."""
    if not has_span(train):
        return no_place(train) if window > 1 else None
    if eval == NEWEST and window < 2:
        return f'must be at least 2, of which data.eval = "newest" holds one out; given {window}'
    return None


def no_place(train: str) -> str:
    """Says that there are no spans."""
    return f"data.train holds no {{SPAN}} or date, such as 'rows/{{SPAN}}/*.csv'; given {train!r}"


def _width(path: str) -> list[str]:
    return [found.group() for found in _WIDTH.finditer(path)]
