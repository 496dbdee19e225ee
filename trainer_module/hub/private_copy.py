"""A copy of a SavedModel that nobody else can change: what is scanned and digested there is what is loaded."""

import atexit
import hashlib
import os
import shutil
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.full_disk import whole_or_nothing
from trainer_module.hub.saved_model_reader import files_in, refuse_special_file
from trainer_module.prefix_cache.scratch_folder import ScratchFolder

_CHUNK = 1 << 22
# Programs and assets are at most some hundred MiB; a file that claims more, such as a sparse one, is not read.
_LARGEST_FILE = 1 << 31
_lock = threading.Lock()


class PrivateCopy(NamedTuple):
    """A SavedModel's content at one moment.

    Attributes:
        folder: The copy. It exists until the process ends, because a model's program may read its assets at any time.
        digest: `sha256:…` over the program, variables and assets: equal exactly when the content is.
    """

    folder: str
    digest: str


def private_copy(path: str, key: str = "model.hub") -> PrivateCopy:
    """Copies a SavedModel into a folder that only this user can write.

    Whoever can write the original could otherwise exchange it between the scan of its program and the loading of it.
    The same content is copied once per process. A folder without `saved_model.pb` gives an empty copy.

    Args:
        path: The SavedModel's folder, local or remote (`gs://`).
        key: The setting that names the model, for messages.

    Raises:
        UserError: A file can't be read or isn't a regular file, or there is no room for the copy.
    """
    with _lock:
        root = _root()
        # Copying is slower than reading, and most of the time the content is known.
        digest = _read(path, key)
        if not _folder(root, digest).is_dir():
            part = tempfile.mkdtemp(dir=root)
            with whole_or_nothing(part, f"a private copy of {path}"):
                digest = _read(path, key, part)
                if not _folder(root, digest).is_dir():
                    os.rename(part, _folder(root, digest))
            shutil.rmtree(part, ignore_errors=True)
        return PrivateCopy(str(_folder(root, digest)), digest)


def _folder(root: Path, digest: str) -> Path:
    return root / digest.removeprefix("sha256:")


@cache
def _root() -> Path:
    scratch = ScratchFolder("models")
    # A killed process may have left copies there, and a crash of the machine may have damaged them.
    shutil.rmtree(scratch.path, ignore_errors=True)
    scratch.path.mkdir()
    atexit.register(scratch.remove)
    return scratch.path


def _read(path: str, key: str, target: str | None = None) -> str:
    """Returns the digest of a SavedModel's content, and copies what it reads to the folder `target`."""
    total = hashlib.sha256()
    for file in sorted(_content_files(path, key)):
        source = os.path.join(path, file)
        refuse_special_file(source, key)
        if not file.startswith("variables") and (length := tf.io.gfile.stat(source).length) > _LARGEST_FILE:
            raise UserError(f"{key}: {source} is damaged (it has {length:,} bytes); fetch the model again")
        content = hashlib.sha256()
        copied = os.path.join(target, file) if target else os.devnull
        os.makedirs(os.path.dirname(copied), exist_ok=True)
        try:
            with tf.io.gfile.GFile(source, "rb") as stream, open(copied, "wb") as copy:
                while chunk := stream.read(_CHUNK):
                    content.update(chunk)
                    copy.write(chunk)
        except tf.errors.OpError as error:
            raise UserError(f"{key}: {source} can't be read ({error.message}); fetch the model again") from None
        total.update(f"{file}\0{content.hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _content_files(path: str, key: str) -> list[str]:
    if not tf.io.gfile.exists(os.path.join(path, "saved_model.pb")):
        return []
    return ["saved_model.pb", *files_in(path, ("variables", "assets"), key)]
