"""Tells a command and a webhook how a retraining went."""

import json
import logging
import os
import subprocess
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from pipeline.retrain_settings import RetrainSettings
from pipeline.retraining.summary import Summary

OUTCOME_VARIABLE = "PERMAFROST_OUTCOME"
_COMMAND_SECONDS = 60
_CONNECT_AND_READ_SECONDS = (5, 10)
_TRIES = 3

_LOG = logging.getLogger("permafrost.retrain")


def call_hooks(settings: RetrainSettings, summary: Summary) -> None:
    """Calls those that `[retrain]` names. One that fails is a warning in the log: the run is what it is."""
    if summary.event not in settings.hook_on:
        return
    body = json.dumps(summary.to_json(), ensure_ascii=False).encode()
    if settings.hook:
        _report("retrain.hook", _call_command(settings.hook, body, summary.outcome))
    if settings.webhook:
        # The rest of its URL may be a secret, as Slack's is.
        host = urlsplit(settings.webhook).hostname
        _report(f"retrain.webhook ({host})", _post(settings.webhook, body, settings.webhook_token_env))


def _report(hook: str, problem: str | None) -> None:
    if problem:
        _LOG.warning("warning: %s: %s", hook, problem)
    else:
        _LOG.info("%s: called", hook)


def _call_command(command: list[str], body: bytes, outcome: str) -> str | None:
    """What went wrong, if anything."""
    try:
        done = subprocess.run(
            command,
            input=body,
            env={**os.environ, OUTCOME_VARIABLE: outcome},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {_COMMAND_SECONDS} seconds, and was ended"
    except OSError as error:
        return f"cannot be run: {error.strerror}"
    if done.returncode == 0:
        return None
    said = done.stdout.decode(errors="replace").strip().splitlines()
    return f"ended with exit code {done.returncode}" + (f": {said[-1]}" if said else "")


def _post(url: str, body: bytes, token_variable: str | None) -> str | None:
    """What went wrong, if anything."""
    headers = {"Content-Type": "application/json"}
    if token_variable:
        headers["Authorization"] = f"Bearer {os.environ.get(token_variable, '')}"
    retry = Retry(
        total=_TRIES - 1,
        backoff_factor=1,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    with requests.Session() as session:
        session.mount(url, HTTPAdapter(max_retries=retry))
        try:
            # The token is for this address alone, so no redirect is followed.
            answer = session.post(
                url, data=body, headers=headers, timeout=_CONNECT_AND_READ_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            return f"cannot be reached in {_TRIES} tries: {_reason(error)}"
    return None if answer.ok and not answer.is_redirect else f"answered {answer.status_code} {answer.reason}"


def _reason(error: requests.RequestException) -> str:
    """Without the address, which its text holds."""
    cause = error.args[0] if error.args else error
    return type(getattr(cause, "reason", None) or cause).__name__
