"""An export in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType


class LoadedExport:
    """Sends requests to a `client` process, which idles between them.

    Args:
        path: Of the SavedModel.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.client", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "LoadedExport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    def ask(self, signature: str, requests: Sequence[Sequence[str]]) -> list[float]:
        """The milliseconds that each of the requests (lists of texts) took, one after the other.

        Raises:
            RuntimeError: The process died; its messages are where this process's stderr goes.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):  # it died before: it gives no answer either
            self._process.stdin.write(json.dumps({"signature": signature, "requests": requests}) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The process that served {self._path} ended with code {self._process.wait()}")
        milliseconds: list[float] = json.loads(line)
        return milliseconds
