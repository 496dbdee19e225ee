"""What the user sees: the command's own lines, without the noise of the libraries it uses."""

import atexit
import contextlib
import faulthandler
import io
import json
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Control characters but tab and line break, the Unicode ones that reverse text, and what can't be encoded.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]|\r(?!\n)")


def printable(text: str) -> str:
    r"""Escapes what a terminal would obey instead of showing it, so that no name can clear or overwrite a line.

    The replacement is JSON's escape sequence, so that JSON stays JSON.

    Example:
        >>> print(printable("the model\x1b[2J is good"))
        the model\u001b[2J is good
    """
    return _NOT_TEXT.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class Terminal:
    """The user's stdout and stderr, kept apart from the process's own once `hide_noise` was called.

    TensorFlow, absl and the Google clients write to file descriptors 1 and 2, from C++ as well, so only moving the
    descriptors keeps them off the screen.

    Attributes:
        out: For results.
        err: For messages.
    """

    _current: "Terminal | None" = None

    def __init__(self) -> None:
        self.out: Console = _PrintableConsole(soft_wrap=False)
        self.err: Console = _PrintableConsole(stderr=True)
        self.log_file: Path | None = None
        self._keep_log = False

    @classmethod
    def open(cls) -> "Terminal":
        """The process's terminal; the same object each time."""
        if cls._current is None:
            cls._current = cls()
        return cls._current

    def hide_noise(self, log_file: Path | None = None) -> None:
        """Sends all that is written to descriptors 1 and 2 into a file from now on.

        Args:
            log_file: Kept. Without one, a temporary file is used, and kept only after a crash.
        """
        if self.log_file is not None:
            return
        self._keep_log = log_file is not None
        if log_file is None:
            handle, name = tempfile.mkstemp(prefix="permafrost-", suffix=".log")
            os.close(handle)
            log_file = Path(name)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file = log_file
        self.out = self._console_on_copy_of(1)
        self.err = self._console_on_copy_of(2)
        sys.stdout.flush()
        sys.stderr.flush()
        with open(log_file, "ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        sys.stdout, sys.stderr = _PrintableStream(1), _PrintableStream(2)
        # Of a crash in native code, nobody else would tell where it was.
        faulthandler.enable(file=2)
        atexit.register(self._drop_temporary_log)

    def print_json(self, content: Any) -> None:
        """Prints one line of JSON to stdout. Its strings are `printable`, also once they are read back."""

        def cleaned(value: Any) -> Any:
            if isinstance(value, dict):
                return {cleaned(key): cleaned(each) for key, each in value.items()}
            if isinstance(value, list | tuple):
                return [cleaned(each) for each in value]
            return printable(value) if isinstance(value, str) else value

        self.out.print(json.dumps(cleaned(content)), markup=False, emoji=False, soft_wrap=True)

    def error(self, message: str) -> None:
        """Prints a user's mistake, as it is."""
        self.err.print("[bold red]error:[/] ", end="")
        self.err.print(message, markup=False, soft_wrap=True)

    def crash(self, error: Exception) -> None:
        """Prints what went wrong in one line, and leaves the traceback in the log file."""
        self._keep_log = True
        if self.log_file is None:
            self.hide_noise()
            self._keep_log = True
        with contextlib.suppress(OSError):  # its disk may be full, which may be the error
            traceback.print_exception(error)  # lands in the log file
        first_line = next(iter(str(error).splitlines()), "")
        self.error(f"{type(error).__name__}: {first_line}\nThe log with the traceback: {self.log_file}")

    def close(self) -> None:
        """Writes out what is still buffered; what a log on a full disk has no room for is lost."""
        for console in (self.out, self.err):
            with contextlib.suppress(BrokenPipeError):
                console.file.flush()
        for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
            try:
                stream.flush()
            except OSError:
                # Else Python tries once more at its end, fails, and changes the exit code to 120.
                with open(os.devnull, "wb") as nowhere:
                    os.dup2(nowhere.fileno(), descriptor)

    def _console_on_copy_of(self, descriptor: int) -> Console:
        # A console looks at its file when it is made, so this one still sees the real terminal.
        stream = os.fdopen(os.dup(descriptor), "w", encoding="utf-8", buffering=1)
        return _PrintableConsole(file=stream)

    def _drop_temporary_log(self) -> None:
        if not self._keep_log and self.log_file is not None:
            self.log_file.unlink(missing_ok=True)


class _PrintableConsole(Console):
    """A console that sends only its own control characters to the terminal, none of what it prints."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


class _PrintableStream(io.TextIOWrapper):
    """What Python code prints into the log. Libraries in C++ write to the descriptor themselves."""

    def __init__(self, descriptor: int) -> None:
        file = io.BufferedWriter(io.FileIO(descriptor, "wb", closefd=False))
        super().__init__(file, encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def write(self, text: str) -> int:
        super().write(printable(text))
        return len(text)
