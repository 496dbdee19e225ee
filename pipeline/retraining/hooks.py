"""Reports the outcome of a retraining to a command and a webhook."""

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import IO
from urllib.parse import urlsplit

import requests

from pipeline.retrain_settings import RetrainSettings
from pipeline.retraining.summary import Summary

OUTCOME_VARIABLE = "PERMAFROST_OUTCOME"
_CONNECT_AND_READ_SECONDS = (5, 10)
_TRIES = 3
_BUSY = (429, 500, 502, 503, 504)
_OUTPUT_BYTES = 4096
_OUTPUT_SECONDS = 1
_LONGEST_REASON = 200

_LOG = logging.getLogger("permafrost.retrain")


def call_hooks(settings: RetrainSettings, summary: Summary, seconds: float = 60) -> None:
    """Calls the hooks that `[retrain]` names. Whatever goes wrong with one is a warning in the log and nothing else.

    Args:
        settings: `[retrain]`.
        summary: The retraining to report.
        seconds: Time limit for each hook, retries included.
    """
    if summary.event not in settings.hook_on:
        return
    body = json.dumps(summary.to_json()).encode()
    if command := settings.hook:
        _report("retrain.hook", lambda: _call_command(command, body, summary.outcome, seconds))
    if address := settings.webhook:
        # The rest of its URL may be a secret, as Slack's is.
        hook = f"retrain.webhook ({urlsplit(address).hostname})"
        _report(hook, lambda: _post_in_time(address, body, settings.webhook_token_env, seconds))


def _report(hook: str, call: Callable[[], str | None]) -> None:
    try:
        problem = call()
    except Exception as error:  # the run's own outcome must not depend on a hook
        problem = f"cannot be called: {type(error).__name__}"
    if problem:
        _LOG.warning("warning: %s: %s", hook, problem)
    else:
        _LOG.info("%s: called", hook)


def _call_command(command: list[str], body: bytes, outcome: str, seconds: float) -> str | None:
    """What went wrong, if anything."""
    # Not a pipe: a command that doesn't read, and leaves a process behind that could, would block us.
    with open(os.memfd_create("summary"), "w+b") as summary:
        summary.write(body)
        summary.seek(0)
        try:
            process = subprocess.Popen(
                command,
                stdin=summary,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, OUTCOME_VARIABLE: outcome},
                start_new_session=True,
            )
        except OSError as error:
            return f"cannot be run: {error.strerror}"
    output = _Output(process.stdout)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"took longer than {seconds:g} seconds, and was ended"
    if code == 0:
        return None
    said = output.last_line()
    return f"ended with exit code {code}" + (f": {said}" if said else "")


class _Output:
    """Reads a command's output in a thread, and keeps the end of it.

    The output may stay open after the command has ended, because a process that it left behind has it, too. That one
    may go on writing.
    """

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._kept = b""
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                self._kept = (self._kept + chunk)[-_OUTPUT_BYTES:]

    def last_line(self) -> str:
        self._thread.join(_OUTPUT_SECONDS)
        lines = self._kept.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def _post_in_time(address: str, body: bytes, token_variable: str | None, seconds: float) -> str | None:
    """`_post` with a time limit: the timeouts of `requests` begin anew with every byte that a server sends."""
    ended: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: ended.put(_post(address, body, token_variable)), daemon=True).start()
    try:
        return ended.get(timeout=seconds)
    except queue.Empty:
        return f"took longer than {seconds:g} seconds"


def _post(address: str, body: bytes, token_variable: str | None) -> str | None:
    """What went wrong, if anything."""
    headers = {"Content-Type": "application/json"}
    if token_variable:
        headers["Authorization"] = f"Bearer {os.environ.get(token_variable, '')}"
    for attempt in range(1, _TRIES + 1):
        try:
            # Only the status and the headers of the answer are read, however long it is.
            with (
                _WithoutRedirects() as session,
                session.post(
                    address, data=body, headers=headers, timeout=_CONNECT_AND_READ_SECONDS, stream=True
                ) as answer,
            ):
                if answer.ok and not answer.is_redirect:
                    return None
                problem = f"answered {answer.status_code} {answer.reason}"[:_LONGEST_REASON]
                if answer.status_code not in _BUSY:
                    return problem
        except Exception as error:  # not all that a strange address or answer causes is a RequestException
            problem = f"cannot be reached in {_TRIES} tries: {_reason(error)}"
        if attempt < _TRIES:
            time.sleep(2 ** (attempt - 1))
    return problem


class _WithoutRedirects(requests.Session):
    """Follows no redirect, because the token is for one address alone.

    With `allow_redirects=False` requests still reads the whole body of a redirect.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def _reason(error: Exception) -> str:
    """The kind of the error. Its text holds the address."""
    cause = error.args[0] if error.args else error
    return type(getattr(cause, "reason", None) or (cause if isinstance(cause, Exception) else error)).__name__
