"""A window of spans: what is asked for, and what is there to read."""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict
from tfx.proto import example_gen_pb2
from tfx.utils import io_utils

from components.example_gen.span_search import FoundSpan, find_spans
from components.example_gen.spans import LATEST, span_name, span_names
from components.example_gen.spans_read import ReadSpan, SpansRead
from components.example_gen.verdict import EVAL, TRAIN, data_key
from trainer_module.errors import UserError

_LOG = logging.getLogger("permafrost.data")
_SOME = 5


class Window(BaseModel):
    """How many spans are read, up to the one that a run names.

    Attributes:
        spans: That many, one after the other.
        hold_out_newest: Whether the newest is for evaluation, and the others for training.
        on_missing: What happens when one of them has no files: `fail`, or `warn` and go on without it. Without the
            newest no run goes on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    spans: int = 1
    hold_out_newest: bool = False
    on_missing: Literal["fail", "warn"] = "fail"


@dataclass(frozen=True)
class ResolvedWindow:
    """What to read.

    Attributes:
        patterns: Of the files of each input, in the order of the inputs; one for each span.
        read: Which spans these are.
        fingerprint: Another one whenever a file of any of them is another.
    """

    patterns: list[list[str]]
    read: SpansRead
    fingerprint: str


@dataclass(frozen=True)
class _Place:
    """What a key of the config names, and the spans that are there."""

    key: str
    path: str
    spans: dict[int, FoundSpan]


def resolve_window(
    base: str, inputs: Sequence[example_gen_pb2.Input.Split], span: int, window: Window
) -> ResolvedWindow:
    """Finds the spans of a window, each in its newest version, and logs which they are.

    A span is there when each input has files of it.

    Args:
        base: A folder.
        inputs: Names, and patterns with placeholders in that folder.
        span: The newest of the window, or `LATEST`.
        window: What is asked for.

    Raises:
        UserError: The newest span isn't there; another one isn't and must be; nothing is left to train on; or the
            inputs have different versions of a span.
    """
    if span < LATEST:
        raise UserError(f"data.span: must be the number of a span, or {LATEST} for the latest; given {span}")
    places = {
        data_key(each.name): _Place(
            data_key(each.name), os.path.join(base, each.pattern), find_spans(base, each.pattern)
        )
        for each in inputs
        # Where the newest span is held out, both inputs are of one place.
        if not (window.hold_out_newest and each.name == EVAL)
    }
    last = max((number for place in places.values() for number in place.spans), default=LATEST)
    last = last if span == LATEST else span
    _check_newest(last, places.values())
    numbers = range(last - window.spans + 1, last + 1)
    missing = [number for number in numbers if any(number not in place.spans for place in places.values())]
    _check_missing(missing, numbers, places.values(), window)
    read = SpansRead(
        first_span=numbers[0],
        last_span=last,
        spans=[
            ReadSpan(span=number, version=_version(number, places.values()))
            for number in numbers
            if number not in missing
        ],
        missing_spans=missing,
    )
    _LOG.info("%s", read.describe(places[data_key(TRAIN)].path))
    patterns, fingerprints = [], []
    for each in inputs:
        place = places.get(data_key(each.name), places[data_key(TRAIN)])
        chosen = {found.span: place.spans[found.span].pattern for found in _of_input(each.name, read, window)}
        patterns.append(list(chosen.values()))
        for number, pattern in chosen.items():
            files = io_utils.generate_fingerprint(each.name, os.path.join(base, pattern))
            fingerprints.append(f"span:{number},version:{place.spans[number].version},{files}")
    return ResolvedWindow(patterns, read, "\n".join(fingerprints))


def _of_input(name: str, read: SpansRead, window: Window) -> list[ReadSpan]:
    if not window.hold_out_newest:
        return read.spans
    return read.spans[-1:] if name == EVAL else read.spans[:-1]


def _check_newest(last: int, places: Iterable[_Place]) -> None:
    problems = []
    for place in places:
        if last in place.spans:
            continue
        which = "any span" if last == LATEST else f"span {span_name(last, place.path)}"
        there = [span_name(number, place.path) for number in sorted(place.spans)[-_SOME:]]
        hint = f"; the newest there are: {', '.join(there)}" if there else ""
        problems.append(f"{place.key}: no file of {which} matches {place.path}{hint}")
    if problems:
        raise UserError(problems)


def _check_missing(missing: list[int], numbers: range, places: Iterable[_Place], window: Window) -> None:
    problems = []
    for place in places:
        lacking = [number for number in missing if number not in place.spans]
        if lacking:
            first, last = (span_name(number, place.path) for number in (numbers[0], numbers[-1]))
            problems.append(
                f"{place.key}: of the {len(numbers)} spans {first} to {last}, {len(lacking)} have no files: "
                f"{span_names(lacking, place.path)}"
            )
    if problems and window.on_missing == "fail":
        raise UserError([f'{each}; bring them, or set data.on_missing_span = "warn"' for each in problems])
    if window.hold_out_newest and len(missing) == len(numbers) - 1:
        raise UserError([f"{each}; the newest is held out, and nothing is left to train on" for each in problems])
    for each in problems:
        _LOG.warning("%s; the run goes on without them", each)


def _version(number: int, places: Iterable[_Place]) -> int | None:
    versions = {place.key: place.spans[number].version for place in places}
    if len(set(versions.values())) > 1:
        told = ", ".join(f"{version} in {key}" for key, version in versions.items())
        raise UserError(
            f"data.train, data.eval: the newest version of span {number} is {told}; bring both in the same version"
        )
    return next(iter(versions.values()))
