"""Checks, and what they find."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from trainer_module.errors import UserError

Verdict = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        verdict: `warning`: it may work, or not for long; `problem`: it can't work.
        found: What there is.
        advice: What to do about it; empty when it is ok.
    """

    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        name: As it is shown.
        look: May raise; see `examine`.
    """

    name: str
    look: Callable[[], Finding]


def ok(found: str) -> Finding:
    """Nothing to do."""
    return Finding("ok", found)


def warning(found: str, advice: str) -> Finding:
    """It may work."""
    return Finding("warning", found, advice)


def problem(found: str, advice: str) -> Finding:
    """It can't work."""
    return Finding("problem", found, advice)


def examine(checks: Sequence[Check]) -> list[tuple[Check, Finding]]:
    """Makes every check, whatever becomes of the others.

    Returns:
        What each found, in their order. One that raises has found a problem: a `UserError` says itself what to do.
    """
    return [(check, _look(check)) for check in checks]


def _look(check: Check) -> Finding:
    try:
        return check.look()
    except UserError as error:
        return Finding("problem", str(error))
    except Exception as error:
        words = " ".join(str(error).split())
        return problem(f"{type(error).__name__}: {words}", "set the environment up again (make setup), or report this")
