"""The files of a model, wherever they are."""

import hashlib
import os
from collections.abc import Iterator
from typing import Any

from tfx.dsl.io import fileio

from components.atomic_pusher.origin import ORIGIN_FILE

SAVED_MODEL = "saved_model.pb"

_CHUNK = 1 << 22


def model_files(folder: str) -> list[str]:
    """Paths below `folder`, sorted; without what an earlier push wrote there of its own."""
    files = []
    for parent, _, names in fileio.walk(folder):
        inside = os.path.relpath(parent, folder)
        files += [os.path.normpath(os.path.join(inside, name)) for name in names]
    return sorted(file for file in files if file != ORIGIN_FILE)


def chunks(file: str) -> Iterator[bytes]:
    """A file's content."""
    with fileio.open(file, "rb") as stream:
        yield from iter(lambda: stream.read(_CHUNK), b"")


def copy_into(file: str, stream: Any) -> None:
    """Writes a file's content into an open one."""
    for chunk in chunks(file):
        stream.write(chunk)


def digest_of(folder: str) -> str:
    """SHA-256, in hex digits, of the model's files: their names and contents."""
    content = hashlib.sha256()
    for name in model_files(folder):
        of_file = hashlib.sha256()
        for chunk in chunks(os.path.join(folder, name)):
            of_file.update(chunk)
        content.update(f"{name}\n{of_file.hexdigest()}\n".encode())
    return content.hexdigest()


def room_of(folder: str, block: int = 4096) -> int:
    """Bytes that the model takes on a disk whose files grow by whole blocks."""
    sizes = [_size(os.path.join(folder, name)) for name in model_files(folder)]
    folders = {os.path.dirname(name) for name in model_files(folder)}
    # One block more for each folder, and for what a push adds.
    return sum(-(-size // block) * block for size in sizes) + (len(folders) + 2) * block


def _size(file: str) -> int:
    found = fileio.stat(file)
    return int(found.st_size if hasattr(found, "st_size") else found.length)
