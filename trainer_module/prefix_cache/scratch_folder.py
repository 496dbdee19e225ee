"""A folder for one run's activations, which a run that was killed leaves to the next one."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType


class ScratchFolder:
    """In the system's temporary folder (`TMPDIR`), by name; removed at the end.

    What a killed run had finished is still there for the next run that asks for the same name. Of two runs at once
    the second gets a folder of its own.

    Args:
        name: A digest of what will be in it.
    """

    def __init__(self, name: str) -> None:
        parent = Path(tempfile.gettempdir(), f"permafrost-prefix-cache-{os.getuid()}")
        parent.mkdir(mode=0o700, exist_ok=True)
        self._lock_file = parent / f"{name}.lock"
        self._lock = self._lock_file.open("a")
        try:
            # The kernel lets go of it when the process ends, in whatever way.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path = parent / name
            self._owns_name = True
        except BlockingIOError:
            self.path = Path(tempfile.mkdtemp(prefix=f"{name[:16]}-", dir=parent))
            self._owns_name = False

    def __enter__(self) -> "ScratchFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Removes the folder and what is in it; what is mapped into memory stays readable."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._owns_name:
            self._lock_file.unlink(missing_ok=True)
        self._lock.close()
