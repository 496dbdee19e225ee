"""One run of the pipeline in a process of its own, so that nothing it does can harm the scheduler."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.retraining.stop import Stop

_POLL_SECONDS = 0.2
_ERROR = "error: "
# Where our packages are: `-m` puts the current folder before all others, and the user's may have a `pipeline` too.
_FOLDER = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ChildResult:
    """How a run ended.

    Attributes:
        exit_code: As `permafrost run`'s; minus the signal's number where one killed it.
        run: What it printed as JSON; None unless it came to its end.
        error: What it said, or what happened to it; empty when it came to its end.
        stopped: Whether it was ended because `retrain` was.
    """

    exit_code: int
    run: dict[str, Any] | None
    error: str
    stopped: bool = False

    @property
    def may_pass(self) -> bool:
        """Whether another attempt may go better."""
        return self.exit_code not in (0, 2, 3) and not self.stopped


def run_child(
    command: Sequence[str],
    stop: Stop,
    tell: Callable[[str], None],
    *,
    timeout_seconds: float | None = None,
    grace_seconds: float = 30,
) -> ChildResult:
    """Runs a command like `permafrost run --json` to its end, or until it is stopped or late.

    Args:
        command: Prints progress to stderr, and JSON as the last line of stdout.
        stop: Passed on to it, and to all that it started.
        tell: Gets each line of stderr as it comes.
        timeout_seconds: After which it is ended; None: never.
        grace_seconds: From the first signal to SIGKILL.
    """
    start = time.monotonic()
    # A group of its own, so that a signal reaches Beam's workers too, and Ctrl-C isn't received twice.
    process = subprocess.Popen(
        command,
        cwd=_FOLDER,
        # Else lines of a log are broken at 80 characters.
        env={**os.environ, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    out, err = _Reader(process.stdout), _Reader(process.stderr, tell)
    stopped = late = False
    while process.poll() is None and not (stopped or late):
        stopped = stop.requested.wait(_POLL_SECONDS)
        late = timeout_seconds is not None and time.monotonic() - start > timeout_seconds
    if stopped or late:
        _end(process, stop.signal if stopped else signal.SIGTERM, grace_seconds)
    # What it left behind would keep the pipes open.
    _kill_group(process, signal.SIGKILL)
    code = process.wait()
    lines, errors = out.lines(), err.lines()
    if stopped:
        return stopped_result(stop)
    if late:
        return ChildResult(
            code if code < 0 else 1, None, f"took longer than {timeout_seconds:g} seconds, and was ended"
        )
    if code < 0:
        return ChildResult(code, None, _killed(-code))
    return ChildResult(code, _last_json(lines), "" if code in (0, 3) else _message(errors, code))


def stopped_result(stop: Stop) -> ChildResult:
    """Of a run that was ended, or not begun, because `retrain` was."""
    return ChildResult(-stop.signal, None, f"stopped by {stop.signal.name}", stopped=True)


def _end(process: "subprocess.Popen[str]", first: signal.Signals, grace_seconds: float) -> None:
    _kill_group(process, first)
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        _kill_group(process, signal.SIGKILL)


def _kill_group(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class _Reader:
    """Reads a pipe in a thread, so that it never fills up."""

    def __init__(self, pipe: IO[str] | None, tell: Callable[[str], None] | None = None) -> None:
        assert pipe is not None
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(pipe, tell), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[str], tell: Callable[[str], None] | None) -> None:
        with pipe:
            for line in pipe:
                self._lines.append(line.rstrip())
                if tell and line.strip():
                    tell(line.rstrip())

    def lines(self) -> list[str]:
        """All of them, once the pipe is closed."""
        self._thread.join(timeout=5)
        return list(self._lines)


def _killed(number: int) -> str:
    name = signal.Signals(number).name
    return f"the run was killed by {name}" + (" (perhaps out of memory)" if number == signal.SIGKILL else "")


def _message(lines: Sequence[str], code: int) -> str:
    """What `permafrost` prints of an error is the last that it prints."""
    starts = [index for index, line in enumerate(lines) if line.startswith(_ERROR)]
    told = lines[starts[-1] :] if starts else [line for line in lines if line][-1:]
    return "\n".join(told).removeprefix(_ERROR).strip() or f"the run ended with exit code {code}"


def _last_json(lines: Sequence[str]) -> dict[str, Any] | None:
    try:
        found = json.loads(next((line for line in reversed(lines) if line), ""))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
