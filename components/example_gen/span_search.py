"""Which spans of a path there are, and the newest version of each."""

import datetime
import logging
import os
import re
from typing import NamedTuple

from tfx.dsl.io import fileio

from components.example_gen.spans import LARGEST_SPAN, any_span, span_name, span_of
from trainer_module.errors import UserError

_LOG = logging.getLogger("permafrost.data")

# A placeholder, a part of a glob pattern, or any other character.
_PART = re.compile(
    r"\{(?P<name>SPAN|VERSION|YYYY|MM|DD)(?::(?P<width>\d+))?\}|(?P<many>\*+)|(?P<one>\?)|(?P<set>\[[^\]]+\])|."
)
_DIGITS = {"YYYY": "4", "MM": "2", "DD": "2"}
_PLACEHOLDER = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::\d+)?\}")


class FoundSpan(NamedTuple):
    """The newest version of a span; None where versions have no place.

    Attributes:
        version: Its number.
        pattern: Of its files: the path with the digits that really stand there in the places of the placeholders.
    """

    version: int | None
    pattern: str


def find_spans(base: str, pattern: str) -> dict[int, FoundSpan]:
    """The spans that have files, by number.

    TFX's own search reads `{SPAN}` as the plain number, so that it finds `7` but not `07`, and ends at the first file
    that names no number. Here digits are digits, and other files are left alone, with a warning.

    Args:
        base: A folder.
        pattern: Of files in it, with placeholders.

    Raises:
        UserError: A span or a version is there under two names, such as `7` and `07`.
    """
    names = re.compile(f"(?:.*/)?{_PART.sub(_as_regex, pattern)}", re.DOTALL)
    found: dict[int, FoundSpan] = {}
    strays: list[str] = []
    for path in sorted(fileio.glob(os.path.join(base, any_span(pattern)))):
        match = names.fullmatch(path)
        span = _span_number(match.groupdict()) if match else None
        version = int(match["VERSION"]) if match and "VERSION" in match.groupdict() else None
        if match is None or span is None or max(span, version or 0) > LARGEST_SPAN:
            strays.append(path)
            continue
        this = FoundSpan(version, _PLACEHOLDER.sub(lambda place: match[place[1]], pattern))  # noqa: B023
        best = found.setdefault(span, this)
        if best.version == this.version and best.pattern != this.pattern:
            what = "" if version is None else f"version {version} of "
            raise UserError(
                f"data.train, data.eval: {what}span {span_name(span, pattern)} is there twice, as "
                f"{os.path.join(base, best.pattern)} and {os.path.join(base, this.pattern)}; remove one"
            )
        found[span] = max(best, this)
    if strays:
        _LOG.warning("%d files name no span and are not read, such as %s", len(strays), strays[0])
    return found


def _as_regex(part: re.Match[str]) -> str:
    if name := part["name"]:
        width = part["width"] or _DIGITS.get(name)
        return f"(?P<{name}>[0-9]{'{' + width + '}' if width else '+'})"
    if part["many"]:
        return "[^/]*?"  # the fewest, so that the digits behind it are all the placeholder's
    if part["one"]:
        return "[^/]"
    if part["set"]:
        return part["set"].replace("[!", "[^", 1)
    return re.escape(part.group())


def _span_number(digits: dict[str, str]) -> int | None:
    if "SPAN" in digits:
        return int(digits["SPAN"])
    try:
        return span_of(datetime.date(*(int(digits[name]) for name in _DIGITS)))
    except ValueError:  # a 31st of June
        return None
