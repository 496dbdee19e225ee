"""A folder for what one run keeps on disk, which a run that was killed leaves to the next one."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import IO

from trainer_module.errors import UserError


class ScratchFolder:
    """In the system's temporary folder (`TMPDIR`), by name; removed at the end.

    What a killed run had finished is still there for the next run that asks for the same name. Of two runs at once
    the second gets a folder of its own, which a later second one takes up if it is killed.

    Args:
        name: What will be in it, e.g. a digest.

    Raises:
        UserError: Where it would be is another user's.
    """

    def __init__(self, name: str) -> None:
        parent = Path(tempfile.gettempdir(), f"permafrost-{os.getuid()}")
        parent.mkdir(mode=0o700, exist_ok=True)
        if parent.lstat().st_uid != os.getuid():
            raise UserError(f"{parent}: belongs to another user; set TMPDIR to a folder of your own")
        for number in count(1):
            self.path = parent / (name if number == 1 else f"{name}-{number}")
            self._lock_file = parent / f"{self.path.name}.lock"
            lock = _lock(self._lock_file)
            if lock is not None:
                self._lock = lock
                return

    def __enter__(self) -> "ScratchFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Removes the folder and what is in it; what is mapped into memory stays readable."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock_file.unlink(missing_ok=True)
        self._lock.close()


def _lock(path: Path) -> IO[str] | None:
    """Locks a file until it is closed, or the process ends, in whatever way; None: another run has locked it."""
    while True:
        file = path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        # Its owner may have removed it since it was opened here; then another run can lock a new one.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()
