"""A disk that can't take what is to be written, told so that one can do something about it."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from trainer_module.errors import UserError

_UNCHANGED = "the versions in it stay as they are"
_MIB = 1 << 20


def require_room(key: str, folder: str, needed: int) -> None:
    """Checks, before anything is written, that a folder's disk has room.

    Args:
        key: What the folder is, as in a config.
        folder: On this machine.
        needed: In bytes.

    Raises:
        UserError: It has not.
    """
    free = _free(folder)
    if free < needed:
        raise _no_room(key, folder, needed, free)


@contextmanager
def explained(key: str, folder: str, needed: int) -> Iterator[None]:
    """Turns the system's refusals inside the block into a UserError; see `require_room`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(key, folder, needed, _free(folder)) from error
        advice = {
            errno.EROFS: "is on a disk that is mounted read-only; mount it for writing, or name another folder",
            errno.EACCES: f"can't be written by user {os.geteuid()}; give this user the right, or name another folder",
            errno.EPERM: f"can't be written by user {os.geteuid()}; give this user the right, or name another folder",
            errno.ENOTDIR: "is not a folder, or lies in something that is none; name another",
            errno.EEXIST: "is not a folder; name another",
        }.get(error.errno or 0)
        if advice is None:
            raise
        raise UserError(f"{key}: {folder} {advice} ({error}); {_UNCHANGED}") from error


def _no_room(key: str, folder: str, needed: int, free: int) -> UserError:
    return UserError(
        f"{key}: {folder} has no room for the model: it needs {needed / _MIB:.1f} MiB, and {free / _MIB:.1f} MiB are "
        "free; remove something from that disk (push.keep_versions keeps old versions from piling up there), then run "
        f"again; {_UNCHANGED}"
    )


def _free(folder: str) -> int:
    """Bytes; of the nearest folder above where there is none yet."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(os.path.abspath(folder))
    return shutil.disk_usage(folder).free
