"""Commands that are run and a server that answers."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from urllib3.util import Retry

from pipeline.retrain_settings import RetrainSettings
from pipeline.retraining.hooks import call_hooks
from pipeline.retraining.summary import Summary

PUSHED = Summary("pushed", "mine", "mine.toml", 0, None, "2026-11-29T03:00:00+01:00", 60.0, 1, "the.log", {})


class Server:
    """Answers each POST with the next of `answers`, the last of them for ever."""

    def __init__(self) -> None:
        self.answers = [200]
        self.requests: list[tuple[dict[str, str], Any]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = server.answers[min(len(server.requests), len(server.answers) - 1)]
                server.requests.append((dict(self.headers), body))
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", f"{server.url}/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/hooks/s3cret"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
def call(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`call(webhook=…)` gives the lines of the log; nothing waits between tries."""
    caplog.set_level(logging.INFO, "permafrost.retrain")
    monkeypatch.setattr(Retry, "sleep", lambda *_: None)

    def call(**settings: object) -> list[str]:
        call_hooks(RetrainSettings.model_validate(settings), PUSHED)
        return [record.getMessage() for record in caplog.records if record.name == "permafrost.retrain"]

    return call


def test_a_webhook_gets_the_summary_with_a_token(
    server: Server, call: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "abc")
    assert call(webhook=server.url, webhook_token_env="HOOK_TOKEN") == ["retrain.webhook (127.0.0.1): called"]
    ((headers, body),) = server.requests
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer abc"
    assert body == PUSHED.to_json()
    assert body["text"] == "mine: pushed"


def test_a_webhook_that_is_busy_is_tried_again(server: Server, call: Callable[..., list[str]]) -> None:
    server.answers = [503, 429, 200]
    assert call(webhook=server.url) == ["retrain.webhook (127.0.0.1): called"]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "tries", "problem"),
    [
        (500, 3, "answered 500 Internal Server Error"),
        (404, 1, "answered 404 Not Found"),
        (302, 1, "answered 302 Found"),
    ],
)
def test_a_webhook_that_refuses_is_a_warning(
    server: Server, call: Callable[..., list[str]], answer: int, tries: int, problem: str
) -> None:
    server.answers = [answer]
    assert call(webhook=server.url) == [f"warning: retrain.webhook (127.0.0.1): {problem}"]
    assert len(server.requests) == tries


def test_a_webhook_that_is_not_there_is_a_warning_without_its_secret(
    server: Server, call: Callable[..., list[str]]
) -> None:
    url = server.url.replace(str(server.http.server_port), "1")
    assert call(webhook=url) == [
        "warning: retrain.webhook (127.0.0.1): cannot be reached in 3 tries: NewConnectionError"
    ]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["sh", "-c", "cat > /dev/null; echo no space; exit 4"], "ended with exit code 4: no space"),
        (["false"], "ended with exit code 1"),
        (["/nowhere/hook"], "cannot be run: No such file or directory"),
    ],
)
def test_a_command_that_fails_is_a_warning(call: Callable[..., list[str]], command: list[str], problem: str) -> None:
    assert call(hook=command) == [f"warning: retrain.hook: {problem}"]


def test_a_command_gets_the_outcome_and_the_summary(call: Callable[..., list[str]], tmp_path: Path) -> None:
    command = ["sh", "-c", f"cat > {tmp_path}/stdin; echo $PERMAFROST_OUTCOME > {tmp_path}/outcome"]
    assert call(hook=command) == ["retrain.hook: called"]
    assert json.loads((tmp_path / "stdin").read_text()) == PUSHED.to_json()
    assert (tmp_path / "outcome").read_text() == "pushed\n"


def test_a_command_need_not_read(call: Callable[..., list[str]]) -> None:
    assert call(hook=["true"]) == ["retrain.hook: called"]
