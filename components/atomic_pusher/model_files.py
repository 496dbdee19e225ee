"""The files of a model, wherever they are."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tfx.dsl.io import fileio

from components.atomic_pusher.origin import ORIGIN_FILE, Origin, read_origin

SAVED_MODEL = "saved_model.pb"

_CHUNK = 1 << 22
_SHOWN = 3  # files that a message names


class ModelFile(NamedTuple):
    """One file of a model.

    Attributes:
        size: In bytes.
        sha256: Digest of the content, in hex digits.
    """

    size: int
    sha256: str


ModelFiles = Mapping[str, ModelFile]
"""The files of a model by their paths in its folder."""


def model_files(folder: str) -> list[str]:
    """Paths below `folder`, sorted; without what an earlier push wrote there of its own."""
    files = []
    for parent, _, names in fileio.walk(folder):
        inside = os.path.relpath(parent, folder)
        files += [os.path.normpath(os.path.join(inside, name)) for name in names]
    return sorted(file for file in files if file != ORIGIN_FILE)


def chunks(file: str) -> Iterator[bytes]:
    """A file's content.

    Raises:
        OSError: On this machine: it is a pipe or a device, which could be read for ever.
    """
    if "://" not in file and os.path.exists(file) and not os.path.isfile(file):
        raise OSError(f"{file} is not a regular file")
    with fileio.open(file, "rb") as stream:
        yield from iter(lambda: stream.read(_CHUNK), b"")


def copy_into(file: str, stream: Any) -> None:
    """Writes a file's content into an open one."""
    for chunk in chunks(file):
        stream.write(chunk)


def describe_files(folder: str, *, read: bool = True) -> dict[str, ModelFile]:
    """Sizes and digests of a model's files.

    Args:
        folder: Local or remote; nothing is found where it doesn't exist.
        read: Whether the files are read, for their digests, which are empty otherwise.
    """
    return {name: ModelFile(_size(path), _sha256(path) if read else "") for name, path in _paths(folder).items()}


def digest_of(folder: str) -> str:
    """SHA-256, in hex digits, of the model's files: their names and contents."""
    return combined_digest(describe_files(folder))


def combined_digest(files: ModelFiles) -> str:
    """The `digest_of` the folder that these files were found in."""
    content = hashlib.sha256()
    for name, file in sorted(files.items()):
        content.update(f"{name}\n{file.sha256}\n".encode())
    return content.hexdigest()


def holds(version: str, origin: Origin) -> bool:
    """Whether a version's note names this origin, and its files are those of the note to the last byte."""
    try:
        return origin.is_of(read_origin(version)) and digest_of(version) == origin.digest
    except Exception:
        # Each kind of storage has errors of its own. What can't be read can't be served.
        return False


def damage(folder: str, files: ModelFiles, *, read: bool) -> str:
    """Says what became of a model's files since they were described.

    Args:
        folder: Where they were, local or remote.
        files: What they were; see `describe_files`.
        read: Whether the files are read and their contents compared; otherwise only names and sizes are.

    Returns:
        The first few files that are gone, new or changed; empty where there are none.
    """
    paths = _paths(folder)
    found = [f"{name} is gone" for name in sorted(files.keys() - paths.keys())]
    found += [f"{name} is new" for name in sorted(paths.keys() - files.keys())]
    found += [
        f"{name} has changed"
        for name, path in paths.items()
        if name in files and not _is_same(path, files[name], read=read)
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def files_to_json(files: ModelFiles) -> str:
    """The text that `files_from_json` reads."""
    return json.dumps(files)


def files_from_json(text: str) -> dict[str, ModelFile]:
    """Reads what `files_to_json` wrote."""
    return {name: ModelFile(*values) for name, values in json.loads(text).items()}


def room_of(folder: str, block: int = 4096) -> int:
    """Bytes that the model takes on a disk whose files grow by whole blocks."""
    sizes = [_size(os.path.join(folder, name)) for name in model_files(folder)]
    folders = {os.path.dirname(name) for name in model_files(folder)}
    # One block more for each folder, and for what a push adds.
    return sum(-(-size // block) * block for size in sizes) + (len(folders) + 2) * block


def _paths(folder: str) -> dict[str, str]:
    return {name: os.path.join(folder, name) for name in model_files(folder)}


def _is_same(path: str, file: ModelFile, *, read: bool) -> bool:
    try:
        return _size(path) == file.size and (not read or _sha256(path) == file.sha256)
    except Exception:
        # It can't be read; each kind of storage has errors of its own.
        return False


def _sha256(path: str) -> str:
    content = hashlib.sha256()
    for chunk in chunks(path):
        content.update(chunk)
    return content.hexdigest()


def _size(file: str) -> int:
    found = fileio.stat(file)
    return int(found.st_size if hasattr(found, "st_size") else found.length)
