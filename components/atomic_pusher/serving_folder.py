"""A serving folder as TensorFlow Serving reads it: each folder whose name is a number is a version.

It leaves alone whatever has another name. Hidden names stand for what a push hasn't finished, or pruning hasn't.
"""

import os
import re
import time

from tfx.dsl.io import fileio

UNFINISHED = ".permafrost-"
"""How the name of everything begins that isn't, or is no longer, a version."""


def version_path(folder: str, version: int) -> str:
    """The folder of a new version."""
    return os.path.join(folder, str(version))


def entries(folder: str) -> list[str]:
    """The names in the folder; none where it isn't there."""
    return [name.rstrip("/") for name in fileio.listdir(folder)] if fileio.isdir(folder) else []


def versions(folder: str) -> dict[int, str]:
    """Paths of what counts as a version, by number, the newest last.

    Example:
        >>> versions("serving")                                                            # doctest: +SKIP
        {1: 'serving/1', 1764331200: 'serving/1764331200'}
    """
    numbered = {int(name): os.path.join(folder, name) for name in entries(folder) if re.fullmatch("[0-9]+", name)}
    return dict(sorted(numbered.items()))


def newest(folder: str) -> tuple[int, str] | None:
    """Number and path of the version that TensorFlow Serving serves."""
    return max(versions(folder).items(), default=None)


def next_version(folder: str) -> int:
    """The time in seconds, as TFX's Pusher has it; more where the clock is behind what is there already."""
    served = newest(folder)
    return max(int(time.time()), served[0] + 1 if served else 0)
