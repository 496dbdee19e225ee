"""A folder that appears complete or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer_module.errors import UserError


def refuse_occupied(path: Path) -> None:
    """Checks that a new folder can appear at `path`; an empty one may be there already.

    Raises:
        UserError: Something is there.
    """
    if path.is_dir():
        if any(path.iterdir()):
            raise UserError(f"{path} already exists and is not empty; remove it or name another folder")
    elif os.path.lexists(path):
        raise UserError(f"{path} already exists and is not a folder; remove it or name another folder")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder, on the same disk, that becomes `path` when the block ends without an error.

    Otherwise it is removed, and `path` is as it was. Missing parents of `path` are created.

    Raises:
        UserError: Something is at `path` already, or it can't be written.
    """
    refuse_occupied(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The folder inside gets the usual permissions; `mkdtemp` gives its own to nobody else.
        workplace = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise UserError(f"{path} can't be written: {error}") from None
    try:
        complete = workplace / path.name
        complete.mkdir()
        yield complete
        try:
            os.rename(complete, path)
        except OSError as error:
            raise UserError(f"{path} can't be written: {error}") from None
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
