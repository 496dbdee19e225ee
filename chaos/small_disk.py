"""A disk of its own for one folder, which can be full or read-only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BALLAST = ".ballast"


class SmallDisk:
    """A file system in memory, mounted on a folder. Needs root.

    Args:
        folder: Where it is mounted.
        mib: Its size.
    """

    def __init__(self, folder: Path, mib: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        _system("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder))

    def unmount(self) -> None:
        """What is on it is gone."""
        _system("umount", "--lazy", str(self.folder))

    @contextmanager
    def full(self, left: int = 0) -> Iterator[None]:
        """Fills the disk up to `left` bytes while the block lasts."""
        ballast = self.folder / _BALLAST
        free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
        with ballast.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, max(1, free - left))
        try:
            yield
        finally:
            ballast.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Refuses all writing while the block lasts."""
        _system("mount", "-o", "remount,ro", str(self.folder))
        try:
            yield
        finally:
            _system("mount", "-o", "remount,rw", str(self.folder))


def can_mount() -> bool:
    """Whether this process may mount disks."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


def _system(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
