"""One run at a time: two would compare with, and push over, each other's models."""

import fcntl
import hashlib
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from trainer_module.errors import UserError

_log = logging.getLogger("permafrost.run_lock")


@contextmanager
def run_lock(root: str, what: str = "a run") -> Iterator[None]:
    """Keeps other runs of this pipeline out while the context is open.

    The system frees the lock with the process, however it ends: a run that was killed blocks nobody. Processes on other
    machines are kept out only where `root` is on a disk that they share and that knows locks.

    Args:
        root: `pipeline.root`.
        what: What holds it, for the message that others get.

    Raises:
        UserError: Another process holds it.
    """
    file = lock_file(root)
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(descriptor, file, root)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_holder(what)).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def lock_file(root: str) -> Path:
    """`run.lock` in the root, or for a remote root a file of this user's on this machine."""
    if "://" not in root:
        return Path(root, "run.lock")
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state, "permafrost", f"{hashlib.sha256(root.encode()).hexdigest()[:16]}.lock")


def is_held(root: str) -> bool:
    """Whether a run is going on."""
    try:
        descriptor = os.open(lock_file(root), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _lock(descriptor: int, file: Path, root: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"pipeline.root: {_told(file)} holds {root}; one pipeline runs one at a time: wait for its end, or end it, "
            "then run again"
        ) from None
    except OSError as error:
        _log.warning("%s can't be locked (%s); see to it yourself that this pipeline runs one at a time", file, error)


def _holder(what: str) -> dict[str, str | int]:
    now = datetime.now().astimezone().isoformat(" ", "seconds")
    return {"what": what, "pid": os.getpid(), "host": socket.gethostname(), "since": now}


def _told(file: Path) -> str:
    try:
        holder = json.loads(file.read_bytes())
        return f"{holder['what']} (process {holder['pid']} on {holder['host']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"
