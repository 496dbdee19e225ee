"""A push to where a folder can't be renamed in one step: the file that makes it a model comes last."""

import logging
import os
from contextlib import suppress

from tfx.dsl.io import fileio

from components.atomic_pusher.model_files import SAVED_MODEL, copy_into, holds, model_files
from components.atomic_pusher.origin import ORIGIN_FILE, Origin
from components.atomic_pusher.serving_folder import newest, next_version, remove_leftover, version_path, versions

_log = logging.getLogger("permafrost.push")


def push(model_dir: str, folder: str, origin: Origin, keep_versions: int | None) -> tuple[int, str, bool]:
    """See `push.push`.

    Returns:
        The version, its folder, and whether it is new.
    """
    # A number that a reader may have looked at is not used again.
    version = next_version(folder)
    _remove_leftovers(folder)
    served = newest(folder)
    if served and holds(served[1], origin):
        pushed = (*served, False)
    else:
        path = version_path(folder, version)
        _push(model_dir, path, origin)
        pushed = (version, path, True)
    if keep_versions is not None:
        _prune(folder, keep_versions)
    return pushed


def _push(model_dir: str, path: str, origin: Origin) -> None:
    try:
        # The note first: by it the next push knows what an interrupted one left.
        _makedirs_of(os.path.join(path, ORIGIN_FILE))
        with fileio.open(os.path.join(path, ORIGIN_FILE), "w") as stream:
            stream.write(origin.model_dump_json(indent=2))
        for name in sorted(model_files(model_dir), key=lambda name: name == SAVED_MODEL):
            _makedirs_of(os.path.join(path, name))
            with fileio.open(os.path.join(path, name), "wb") as stream:
                copy_into(os.path.join(model_dir, name), stream)
    except BaseException:
        with suppress(Exception):
            fileio.rmtree(path)
        raise


def _prune(folder: str, keep: int) -> None:
    for version, path in list(versions(folder).items())[:-keep]:
        try:
            if fileio.exists(os.path.join(path, SAVED_MODEL)):
                fileio.remove(os.path.join(path, SAVED_MODEL))
            fileio.rmtree(path)
        except Exception as error:
            # The new version is live by now. Each kind of storage has errors of its own.
            _log.warning("push.keep_versions: version %d can't be removed from %s: %s", version, folder, error)
        else:
            _log.info("version %d was removed: push.keep_versions is %d", version, keep)


def _remove_leftovers(folder: str) -> None:
    for path in versions(folder).values():
        if not fileio.exists(os.path.join(path, SAVED_MODEL)) and fileio.exists(os.path.join(path, ORIGIN_FILE)):
            _log.warning("removing %s, which an interrupted push left", path)
            remove_leftover(path)


def _makedirs_of(file: str) -> None:
    fileio.makedirs(os.path.dirname(file))
