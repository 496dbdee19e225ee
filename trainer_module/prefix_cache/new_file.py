"""A file that appears complete or not at all, and the removal of what killed processes left behind."""

import contextlib
import fcntl
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from trainer_module.errors import UserError

_TEMPORARY = re.compile(r"[0-9a-f]{32}\.tmp")
_GRACE_SECONDS = 60.0


@contextmanager
def new_file(path: str) -> Iterator[IO[bytes]]:
    """Gives a file to write and read that becomes `path`, on disk for good, when the block ends without an error.

    Otherwise it is removed. Until then it has a temporary name in the same folder, and is locked, so that
    `remove_leftovers` knows that somebody is writing it.

    Raises:
        OSError: It can't be written; nothing is left of it.
    """
    directory = os.path.dirname(path)
    temporary = os.path.join(directory, f"{uuid.uuid4().hex}.tmp")
    with open(temporary, "x+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def refuse_remote(directory: str) -> None:
    """Refuses what isn't a local path: renaming, locking and mapping need a local file system.

    Raises:
        UserError: It isn't.
    """
    if "://" in directory:
        raise UserError(f"{directory}: a prefix cache must be a local folder; write the path of one")


def remove_leftovers(directory: str) -> None:
    """Removes temporary files that nobody writes any more.

    The kernel frees the lock when its process ends, however it ends; unlike a process id, it isn't reused and means the
    same in every container. Very young files stay, as a process locks its file only after creating it.
    """
    for name in os.listdir(directory):
        if not _TEMPORARY.fullmatch(name):
            continue
        path = os.path.join(directory, name)
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if time.time() - os.fstat(file.fileno()).st_mtime > _GRACE_SECONDS:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
