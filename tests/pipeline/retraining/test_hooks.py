"""Commands that are run and a server that answers."""

import contextlib
import dataclasses
import json
import logging
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
        self.answer_by: Callable[[socket.socket], None] | None = None
        self.sent = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = server.answers[min(len(server.requests), len(server.answers) - 1)]
                server.requests.append((dict(self.headers), body))
                if server.answer_by is not None:
                    with contextlib.suppress(OSError):  # as soon as the client has had enough
                        server.answer_by(self.connection)
                    return
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", f"{server.url}/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/hooks/s3cret"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.block_on_close = False
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
def call(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`call(webhook=…)` gives the lines of the log; `seconds` is the time limit; nothing waits between attempts."""
    caplog.set_level(logging.INFO, "permafrost.retrain")
    monkeypatch.setattr(Retry, "sleep", lambda *_: None)

    def call(seconds: float = 60, **settings: object) -> list[str]:
        call_hooks(RetrainSettings.model_validate(settings), PUSHED, seconds)
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


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 Not Found"])
def test_the_body_of_an_answer_is_not_read(server: Server, call: Callable[..., list[str]], status: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\nLocation: /other\r\nContent-Length: {2**30}\r\n\r\n".encode())
        chunk = b"x" * 2**20
        for _ in range(2**10):
            connection.sendall(chunk)
            server.sent += len(chunk)

    server.answer_by = answer
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = call(webhook=server.url)
    assert line.endswith("called" if status == "200 OK" else f"answered {status}")
    assert server.sent < 2**28
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17  # in KiB


def test_a_server_that_answers_byte_by_byte_does_not_hold_the_run(
    server: Server, call: Callable[..., list[str]]
) -> None:
    def answer(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: " + b"x" * 600:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    server.answer_by = answer
    start = time.monotonic()
    assert call(webhook=server.url, seconds=1) == ["warning: retrain.webhook (127.0.0.1): took longer than 1 seconds"]
    assert time.monotonic() - start < 10


def test_a_servers_long_reason_is_cut(server: Server, call: Callable[..., list[str]]) -> None:
    server.answer_by = lambda connection: connection.sendall(b"HTTP/1.1 404 " + b"no " * 10_000 + b"\r\n\r\n")
    (line,) = call(webhook=server.url)
    assert line.startswith("warning: retrain.webhook (127.0.0.1): answered 404 no no no")
    assert len(line) < 300


def test_whatever_happens_in_a_hook_is_a_warning(call: Callable[..., list[str]]) -> None:
    # Neither passes the checks at the start, but a command may also come from Python.
    assert call(hook=["echo", "a\0b"]) == ["warning: retrain.hook: cannot be called: ValueError"]


def test_a_summary_that_is_no_unicode_is_sent_all_the_same(call: Callable[..., list[str]], tmp_path: Path) -> None:
    summary = dataclasses.replace(PUSHED, outcome="failed", error="\ud800")
    call_hooks(RetrainSettings(hook=["sh", "-c", f"cat > {tmp_path}/stdin"]), summary)
    assert json.loads((tmp_path / "stdin").read_text())["error"] == "\ud800"


def test_a_command_that_leaves_a_process_behind_has_ended(call: Callable[..., list[str]], tmp_path: Path) -> None:
    start = time.monotonic()
    assert call(hook=["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid"]) == ["retrain.hook: called"]
    failing = ["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid2; echo no space; exit 4"]
    assert call(hook=failing)[1:] == ["warning: retrain.hook: ended with exit code 4: no space"]
    assert time.monotonic() - start < 20
    for name in ("pid", "pid2"):
        os.kill(int((tmp_path / name).read_text()), signal.SIGKILL)  # raises where it is gone


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(
    call: Callable[..., list[str]], tmp_path: Path
) -> None:
    start = time.monotonic()
    command = ["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; wait"]
    assert call(hook=command, seconds=1) == ["warning: retrain.hook: took longer than 1 seconds, and was ended"]
    assert time.monotonic() - start < 10
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_command_that_never_stops_writing_takes_no_memory(call: Callable[..., list[str]]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert call(hook=["yes"], seconds=1) == ["warning: retrain.hook: took longer than 1 seconds, and was ended"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # in KiB
