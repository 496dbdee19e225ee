"""A serving folder as TensorFlow Serving reads it: each folder whose name is a number is a version.

It leaves alone whatever has another name. Hidden names stand for what a push hasn't finished, or pruning hasn't.
"""

import logging
import os
import re
import shutil
import time

import tensorflow as tf

from trainer_module.errors import UserError

_HIGHEST = 2**63 - 1  # TensorFlow Serving reads versions as int64, and ignores what is beyond

_log = logging.getLogger("permafrost.push")

UNFINISHED = ".permafrost-"
"""How the name of everything begins that isn't, or is no longer, a version."""


def version_path(folder: str, version: int) -> str:
    """The folder of a new version."""
    return os.path.join(folder, str(version))


def entries(folder: str) -> list[str]:
    """The names in the folder; none where it isn't there."""
    return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)] if tf.io.gfile.isdir(folder) else []


def versions(folder: str) -> dict[int, str]:
    """Paths of the versions by number, the newest last.

    A version is a folder: files and links with a numeric name don't count.

    Example:
        >>> versions("serving")                                                            # doctest: +SKIP
        {1: 'serving/1', 1764331200: 'serving/1764331200'}
    """
    return {number: path for number, path in _numbered(folder) if is_real_folder(path)}


def newest(folder: str) -> tuple[int, str] | None:
    """Number and path of the version that TensorFlow Serving serves."""
    return max(versions(folder).items(), default=None)


def next_version(folder: str) -> int:
    """Returns the time in seconds, as TFX's Pusher does, or more where the folder has that number or a higher one.

    Every numeric name counts here, whatever it names: TensorFlow Serving looks at names only, and would go on trying
    to load a file with a higher number.

    Raises:
        UserError: There is no higher number.
    """
    highest, path = max(_numbered(folder), default=(0, ""))
    if highest == _HIGHEST:
        raise UserError(
            f"push.directory: {path} has the highest number that TensorFlow Serving reads, so that no version can "
            "follow it; remove or rename it, then run again"
        )
    return max(int(time.time()), highest + 1)


def is_real_folder(path: str) -> bool:
    """Whether a path is a folder, and not a link to one."""
    return tf.io.gfile.isdir(path) and not os.path.islink(path)


def remove_leftover(path: str) -> None:
    """Removes a folder, a file or a link, but not what a link points to. Logs a warning if that can't be done."""
    try:
        if "://" in path:
            tf.io.gfile.rmtree(path)
        elif is_real_folder(path):
            # TensorFlow's rmtree would follow the links in there, and empty what they point to.
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except Exception as error:
        # Each kind of storage has errors of its own.
        _log.warning("%s can't be removed: %s; remove it yourself", path, error)


def _numbered(folder: str) -> list[tuple[int, str]]:
    """Numbers and paths of all that has a version's name, in order."""
    numbered = [(int(name), os.path.join(folder, name)) for name in entries(folder) if re.fullmatch("[0-9]+", name)]
    return sorted((number, path) for number, path in numbered if number <= _HIGHEST)
