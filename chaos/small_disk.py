"""A disk of its own for one folder, which can be full or read-only."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BALLAST = ".ballast"
_PAGE = 4096  # bytes


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
        with ballast.open("wb") as stream:
            _take(stream.fileno(), self.folder, left)
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


def _take(descriptor: int, folder: Path, left: int) -> None:
    """Others may write at the same time: what is free is asked again until nothing more is to be had."""
    taken, step = 0, 1 << 40
    while step >= _PAGE:
        disk = os.statvfs(folder)
        step = min(step, disk.f_bavail * disk.f_frsize - left)
        try:
            if step > 0:
                os.posix_fallocate(descriptor, taken, step)
                taken += step
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            step //= 2


def _system(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
