"""Where the checkpoints of one training are, beside those of others."""

import contextlib
import fcntl
import logging
import os
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np
import tensorflow as tf

from trainer_module.training.checkpoints.checkpoint_file import (
    TEMPORARY,
    CheckpointNotWritten,
    DamagedCheckpoint,
    read_checkpoint,
    write_checkpoint,
)

_log = logging.getLogger("permafrost.checkpoints")

KEPT = 2
"""Of a training that goes on: should the newest be damaged, the one before it is still there."""

_STEP = re.compile(r"step-(\d{9})\.npz")
_FINISHED = "finished.npz"
_LOCK = "in_use"
_TRAINING = re.compile(r"[0-9a-f]{32}")


class CheckpointFolder:
    """A folder named by what determines the training, so that no other training can go on with what is in it.

    Args:
        parent: Of all trainings' folders, local or remote.
        digest: Hex digits; see `training_digest`.

    Attributes:
        path: The folder.
    """

    def __init__(self, parent: str, digest: str) -> None:
        self._parent = parent
        self._name = digest[:32]
        self.path = os.path.join(parent, self._name)
        self._lock: IO[str] | None = None

    def claim(self) -> None:
        """Removes what other trainings left, and what a killed process was about to write.

        Locally, the folder of a training that still runs is let alone, because it is locked. Trouble is no reason not
        to train: it is logged.
        """
        try:
            # First: they may be what fills the disk.
            for name in _names(self._parent):
                if name != self._name and _TRAINING.fullmatch(name):
                    _remove_unless_in_use(os.path.join(self._parent, name))
            for name in _names(self.path):
                if name.endswith(TEMPORARY):
                    tf.io.gfile.remove(os.path.join(self.path, name))
            tf.io.gfile.makedirs(self.path)
            if "://" not in self.path:
                self._lock = _lock(os.path.join(self.path, _LOCK), "a")
        except (OSError, tf.errors.OpError) as error:
            _log.warning("train.checkpoint_dir: %s can't be used as it should: %s", self._parent, error)

    def release(self) -> None:
        """From now on the next training may remove the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def read(self) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
        """The checkpoints that can be read, the newest first; one that can't is skipped with a warning."""
        for name in self._files():
            path = os.path.join(self.path, name)
            try:
                yield read_checkpoint(path)
            except DamagedCheckpoint as error:
                _log.warning("checkpoint %s is damaged and not used: %s", path, error)

    def write(
        self, step: int, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, finished: bool = False
    ) -> None:
        """Adds a checkpoint and removes those that it makes useless. A failure is only logged.

        Args:
            step: Steps done; one of the facts, with `finished`.
            facts: See `write_checkpoint`.
            arrays: Likewise.
            finished: Whether training has ended; then all others are useless.
        """
        name = _FINISHED if finished else f"step-{step:09d}.npz"
        try:
            tf.io.gfile.makedirs(self.path)
            size = write_checkpoint(
                os.path.join(self.path, name), {**facts, "step": step, "finished": finished}, arrays
            )
        except (CheckpointNotWritten, OSError, tf.errors.OpError) as error:
            _log.warning(
                "no checkpoint at step %d: %s can't be written: %s; training goes on without", step, self.path, error
            )
            return
        _log.info("checkpoint at step %d (%d KiB)", step, -(-size // 1024))
        for old in self._files()[1 if finished else KEPT :]:
            with contextlib.suppress(OSError, tf.errors.OpError):
                tf.io.gfile.remove(os.path.join(self.path, old))

    def forget(self) -> None:
        """Removes all checkpoints of this training."""
        for name in self._files():
            with contextlib.suppress(OSError, tf.errors.OpError):
                tf.io.gfile.remove(os.path.join(self.path, name))

    def _files(self) -> list[str]:
        """The newest first."""
        names = _names(self.path)
        steps = sorted(filter(_STEP.fullmatch, names), reverse=True)
        return [*filter(_FINISHED.__eq__, names), *steps]


def _names(folder: str) -> list[str]:
    """What is in a folder; object stores put a slash behind a folder's name."""
    try:
        return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]
    except (OSError, tf.errors.OpError):
        return []


def _remove_unless_in_use(folder: str) -> None:
    with contextlib.ExitStack() as held:
        # What has no such file is no longer, or not yet, in use; then nothing is lost that took time.
        with contextlib.suppress(FileNotFoundError):
            if "://" not in folder:
                lock = _lock(os.path.join(folder, _LOCK), "r")
                if lock is None:
                    return
                held.enter_context(lock)
        tf.io.gfile.rmtree(folder)


def _lock(path: str, mode: str) -> IO[str] | None:
    """Locks a file until it is closed or the process ends, in whatever way; None: another process has locked it."""
    file: IO[str] = open(path, mode)  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
