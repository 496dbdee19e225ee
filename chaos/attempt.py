"""One start of `permafrost run`, which may be killed."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chaos.project import Project

_COMMAND = "import sys; from pipeline.cli import main; sys.exit(main())"
_STARTED = re.compile(r"^(\w+) …$")
_ENDED = re.compile(r"^[✓✗] (\w+)")

DEADLINE = 900.0
"""Seconds after which a run counts as hung."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        code: Its exit code; minus the signal's number where one ended it.
        summary: The JSON it printed; empty where it printed none.
        messages: What it said to people.
        seconds: From start to end.
    """

    code: int
    summary: dict[str, Any]
    messages: str
    seconds: float

    @property
    def last_words(self) -> str:
        """What it said after its last component: of a run that failed, why."""
        said = [line.strip() for line in self.messages.splitlines()]
        ends = [index for index, line in enumerate(said) if _ENDED.match(line)]
        return " ".join(said[ends[-1] + 1 if ends else 0 :])


class Attempt:
    """A run under way, in a process group of its own.

    Args:
        project: Whose config is run.
        overrides: Values for `--set`.
    """

    def __init__(self, project: Project, overrides: Sequence[str] = ()) -> None:
        options = [option for override in overrides for option in ("--set", override)]
        self._start = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "run", "--config", str(project.config), "--json", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "1000"},
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._running: set[str] = set()
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until(self, component: str) -> bool:
        """Waits until a component has started; False: the run ended before it."""
        with self._changed:
            self._changed.wait_for(
                lambda: component in self._running or self._process.poll() is not None, timeout=DEADLINE
            )
            return component in self._running

    def ended_within(self, seconds: float) -> bool:
        """Whether the run ends by itself in this time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> str:
        """Kills the run and all it started, as `kill -9` does; gives the component(s) that were running."""
        with self._changed:
            running = ", ".join(sorted(self._running)) or ("between components" if self._lines else "imports")
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        return running

    def outcome(self) -> Outcome:
        """Waits for the end.

        Raises:
            TimeoutError: It doesn't come.
        """
        try:
            self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"the run had not ended after {DEADLINE:.0f} s") from None
        seconds = time.monotonic() - self._start
        self._reader.join()
        assert self._process.stdout is not None
        printed = self._process.stdout.read().strip()
        summary = json.loads(printed.splitlines()[-1]) if printed.startswith("{") else {}
        return Outcome(self._process.returncode, summary, "".join(self._lines), seconds)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._changed:
                self._lines.append(line)
                if found := _STARTED.match(line.strip()):
                    self._running.add(found[1])
                elif found := _ENDED.match(line.strip()):
                    self._running.discard(found[1])
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()
