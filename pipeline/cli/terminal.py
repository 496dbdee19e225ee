"""What the user sees: the command's own lines, without the noise of the libraries it uses."""

import atexit
import contextlib
import faulthandler
import os
import sys
import tempfile
import traceback
from pathlib import Path

from rich.console import Console


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
        self.out = Console(soft_wrap=False, highlight=False)
        self.err = Console(stderr=True, highlight=False)
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
        # Of a crash in native code, nobody else would tell where it was.
        faulthandler.enable(file=2)
        atexit.register(self._drop_temporary_log)

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
        return Console(file=stream, highlight=False)

    def _drop_temporary_log(self) -> None:
        if not self._keep_log and self.log_file is not None:
            self.log_file.unlink(missing_ok=True)
