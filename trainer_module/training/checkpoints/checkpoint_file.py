"""One checkpoint: a file that appears complete or not at all, and that tells when it is damaged."""

import contextlib
import io
import json
import os
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

TEMPORARY = ".tmp"
"""How the name of a file ends that is being written, or that somebody was killed over."""

_FACTS = "facts"


class DamagedCheckpoint(Exception):
    """A checkpoint can't be read; the text says why."""


class CheckpointNotWritten(Exception):
    """A checkpoint can't be written, and nothing is left of it; the text says why."""


def write_checkpoint(path: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> int:
    """Writes a NumPy archive (`.npz`), in which each array has a checksum.

    Args:
        path: Local or remote (`gs://…`), in a folder that exists.
        facts: What JSON can hold.
        arrays: By name.

    Returns:
        The file's bytes.

    Raises:
        CheckpointNotWritten: The disk is full, or the place can't be written.
    """
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    temporary = f"{path}.{uuid.uuid4().hex}{TEMPORARY}"
    try:
        with tf.io.gfile.GFile(temporary, "wb") as file, _WriteOnly(file) as stream:
            np.savez(stream, **{_FACTS: text}, **arrays)
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except (OSError, tf.errors.OpError) as error:
        with contextlib.suppress(OSError, tf.errors.OpError):
            tf.io.gfile.remove(temporary)
        raise CheckpointNotWritten(_reason(error)) from error
    return stream.written


def read_checkpoint(path: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The facts and the arrays of a file, all of them checked.

    Raises:
        DamagedCheckpoint: It isn't what `write_checkpoint` wrote.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would never end
        raise DamagedCheckpoint("it isn't a regular file")
    with _refusing_damage(), tf.io.gfile.GFile(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
        return json.loads(arrays.pop(_FACTS).tobytes()), arrays


@contextmanager
def _refusing_damage() -> Iterator[None]:
    try:
        yield
    except (
        *(OSError, ValueError, KeyError, EOFError, MemoryError),
        *(zipfile.BadZipFile, zlib.error, tf.errors.OpError),
    ) as error:
        raise DamagedCheckpoint(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, tf.errors.OpError):
        return str(error.message)
    return str(getattr(error, "strerror", None) or error)


class _WriteOnly(io.RawIOBase):
    """A file for `zipfile`, which otherwise goes back in what it has written; a remote file can't.

    After the `with` block nothing reaches the file any more. An archive that was given up half-written still writes its
    end when it is collected, and TensorFlow crashes where a file is written after it was closed.
    """

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file: Any = file
        self.written = 0

    def __exit__(self, *_: object) -> None:
        self._file = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        if self._file is not None:
            self._file.write(content)
            self.written += len(content)
        return len(content)
