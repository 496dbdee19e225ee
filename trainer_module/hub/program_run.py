"""Runs what belongs to a model's program: whatever goes wrong in it, or never ends, becomes a `UserError`."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from trainer_module.errors import UserError

TIME_LIMIT = 300.0
"""Seconds after which a program that is tried out counts as one that never ends; a large model's takes a minute."""

_log = logging.getLogger("permafrost.hub")
_Result = TypeVar("_Result")


def try_program(work: Callable[[], _Result], *, key: str, handle: str, doing: str) -> _Result:
    """Loads or calls a SavedModel's program.

    The work is done in a thread of its own, because nothing stops a TensorFlow operation that loops: a thread that
    exceeds the limit is left behind, and ends with the process.

    Args:
        work: Does it, and touches nothing but the program: each of its errors counts as the model's.
        key: The setting that names the model, for messages.
        handle: The model.
        doing: What is done, as in "loaded".

    Raises:
        UserError: The program can't be loaded or called, or doesn't end within `TIME_LIMIT`.
    """
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again below
            errors.append(error)

    thread = threading.Thread(target=run, name="model program", daemon=True)
    thread.start()
    thread.join(TIME_LIMIT)
    if errors:
        error = errors[0]
        if isinstance(error, UserError | MemoryError) or not isinstance(error, Exception):
            raise error
        _log.debug("%s", handle, exc_info=error)
        raise UserError(
            f"{key}: {handle} can't be {doing} ({_first_line(error)}); fetch the model again, or take another one"
        ) from error
    if not results:
        raise UserError(
            f"{key}: {handle} didn't end within {TIME_LIMIT:g} seconds while it was {doing}; its program seems to run "
            "for ever; take another model"
        )
    return results[0]


def _first_line(error: Exception) -> str:
    """What TensorFlow says goes on for screens, with the graph's nodes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else "its program is damaged"
