"""Tries random cases for a stated time, counts how they end, and reports the counts when all tests are done."""

import os
import re
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from tests.trainer_module import conftest as layouts
from trainer_module.errors import UserError

SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
_SECONDS_PER_CASE = 10
_BYTES_PER_CASE = 4 << 30
_LONGEST_PROBLEM = 10_000
_LONGEST_SHOWN = 2_000
_EXCEPTION_NAME = re.compile(r"Traceback|\b[A-Z][a-z]\w*(Error|Exception)\b")

albert, bert_4, bert_12, unnumbered = layouts.albert, layouts.bert_4, layouts.bert_12, layouts.unnumbered

Fuzz = Callable[[SearchStrategy[Any], Callable[[Any], object]], None]


class _TooSlow(BaseException):  # no `except Exception` may swallow it
    pass


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Iterator[Fuzz]:
    """`fuzz(cases, read)` calls `read` with one case after the other.

    A case holds if it is read, or refused by a `UserError` with clear messages, within seconds and little memory. Every
    case is tried; the test then fails with the shortest case for each place at which something else was raised.
    """
    counts: Counter[str] = Counter()

    def run(cases: SearchStrategy[Any], read: Callable[[Any], object]) -> None:
        end = time.monotonic() + SECONDS
        findings: dict[str, str] = {}

        @settings(
            max_examples=200,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(cases)
        def some(case: Any) -> None:
            if time.monotonic() > end:
                return
            if found := _problem(read, case, counts):
                # The same place with another message is the same finding.
                place, message = found
                example = f"{message}\ncase: {case!r}"
                findings[place] = min(example, findings.get(place, example), key=len)

        while time.monotonic() < end:
            some()
        held = counts["accepted"] + counts["refused"]
        line = (
            f"{request.node.name}: {held + counts['failed']:,} tried, {held:,} held "
            f"({counts['refused']:,} refused, {counts['accepted']:,} accepted), {counts['failed']:,} failed"
        )
        request.node.user_properties.append(("fuzz", line))
        if findings:
            shown = (f"{place}{example[:_LONGEST_SHOWN]}" for place, example in findings.items())
            pytest.fail("\n\n".join([line, *shown]), pytrace=False)

    signal.signal(signal.SIGALRM, _stop)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + _BYTES_PER_CASE, limits[1]))
    yield run
    resource.setrlimit(resource.RLIMIT_AS, limits)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    lines = dict.fromkeys(text for report in reports for name, text in report.user_properties if name == "fuzz")
    if lines:
        terminalreporter.section(f"fuzzed for {SECONDS:g} s each")
        for line in lines:
            terminalreporter.write_line(line)


def _problem(read: Callable[[Any], object], case: Any, counts: Counter[str]) -> tuple[str, str] | None:
    """Reads one case and counts how it ended; returns the place and the message of what shouldn't have been raised."""
    signal.setitimer(signal.ITIMER_REAL, _SECONDS_PER_CASE)
    problem, outcome = None, "accepted"
    try:
        read(case)
    except UserError as error:
        outcome = "refused"
        unclear = [message for message in error.problems if _is_unclear(message)]
        problem = ("an unclear message: ", unclear[0][:300]) if unclear else None
    except (Exception, _TooSlow) as error:
        place = "".join(traceback.format_tb(error.__traceback__)[1:])
        problem = (f"{place}{type(error).__name__}: ", str(error)[:300])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    counts["failed" if problem else outcome] += 1
    return problem


def _is_unclear(message: str) -> bool:
    return not message.strip() or len(message) > _LONGEST_PROBLEM or bool(_EXCEPTION_NAME.search(message))


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TooSlow(f"more than {_SECONDS_PER_CASE} s")


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
