"""A push onto a disk of this machine, where renaming a folder is one step."""

import errno
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from components.atomic_pusher.disk_errors import explained, require_room
from components.atomic_pusher.model_files import copy_into, holds, model_files, room_of
from components.atomic_pusher.origin import ORIGIN_FILE, Origin
from components.atomic_pusher.serving_folder import (
    UNFINISHED,
    entries,
    newest,
    next_version,
    remove_leftover,
    version_path,
    versions,
)
from trainer_module.errors import UserError

_PUSHING = UNFINISHED + "pushing-"
_PRUNED = UNFINISHED + "pruned-"
_BUCKET_MOUNT = "/gcs"
_LONGEST_WAIT = 600.0  # seconds, for another push into the same folder

_log = logging.getLogger("permafrost.push")


def can_rename(folder: str) -> bool:
    """Whether renaming a folder is one step there."""
    return "://" not in folder and not f"{os.path.abspath(folder)}/".startswith(f"{_BUCKET_MOUNT}/")


def push(model_dir: str, folder: str, origin: Origin, keep_versions: int | None) -> tuple[int, str, bool]:
    """See `push.push`.

    Returns:
        The version, its folder, and whether it is new.
    """
    with explained("push.directory", folder, room_of(model_dir)):
        os.makedirs(folder, exist_ok=True)
        with _alone_in(folder):
            _remove_leftovers(folder)
            served = newest(folder)
            if served and holds(served[1], origin):
                pushed = (*served, False)
            else:
                pushed = (*_push(model_dir, folder, origin), True)
            if keep_versions is not None:
                _prune(folder, keep_versions)
            return pushed


def _push(model_dir: str, folder: str, origin: Origin) -> tuple[int, str]:
    require_room("push.directory", folder, room_of(model_dir))
    version = next_version(folder)
    draft = os.path.join(folder, f"{_PUSHING}{version}")
    try:
        for name in model_files(model_dir):
            with _new_file(os.path.join(draft, name)) as stream:
                copy_into(os.path.join(model_dir, name), stream)
        with _new_file(os.path.join(draft, ORIGIN_FILE)) as stream:
            stream.write(origin.model_dump_json(indent=2).encode())
        for parent, _, _ in os.walk(draft, topdown=False):
            _sync_folder(parent)
        path = version_path(folder, version)
        os.rename(draft, path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _sync_folder(folder)
    return version, path


def _prune(folder: str, keep: int) -> None:
    """Removes all but the newest versions. The new one is live by now: what goes wrong here only costs room."""
    for version, path in list(versions(folder).items())[:-keep]:
        try:
            # Within one step the version isn't there any more; a reader never sees half of it.
            pruned = os.path.join(folder, f"{_PRUNED}{version}")
            os.rename(path, pruned)
            _sync_folder(folder)
            shutil.rmtree(pruned)
        except OSError as error:
            _log.warning("push.keep_versions: version %d can't be removed from %s: %s", version, folder, error)
        else:
            _log.info("version %d was removed: push.keep_versions is %d", version, keep)


def _remove_leftovers(folder: str) -> None:
    for name in entries(folder):
        if name.startswith((_PUSHING, _PRUNED)):
            _log.warning("removing %s, which an interrupted push left", os.path.join(folder, name))
            remove_leftover(os.path.join(folder, name))


@contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """Keeps other pushes out of the folder; the system ends that with the process, however it ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: str) -> None:
    last = time.monotonic() + _LONGEST_WAIT
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > last:
                message = f"push.directory: another process has been pushing into {folder} for {_LONGEST_WAIT:.0f} s"
                raise UserError(f"{message}; end it (`fuser -v {folder}` names it), then run again") from None
            time.sleep(0.2)
        except OSError as error:
            # A network's disk without locks; runs of one pipeline don't overlap anyhow.
            return _log.warning("%s can't be locked: %s", folder, error)


@contextmanager
def _new_file(path: str) -> Iterator[BinaryIO]:
    """A file that has reached the disk when the block ends."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
