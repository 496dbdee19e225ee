"""The folders that a pipeline writes into, checked before it does anything else."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.config import PipelineConfig
from trainer_module.errors import UserError

ADVICE = "name another folder in the config, or change its rights"


def require_folders(folders: Mapping[str, str]) -> None:
    """Checks that folders can be made and written. Leaves nothing behind.

    Args:
        folders: Paths by the keys of the config; those that aren't on this machine are left out.

    Raises:
        UserError: At least one can't; names them all.
    """
    local = {key: path for key, path in folders.items() if "://" not in path}
    problems = [f"{key}: {found}; {ADVICE}" for key, path in local.items() if (found := folder_problem(path))]
    if problems:
        raise UserError(problems)


def output_folders(config: PipelineConfig) -> dict[str, str]:
    """The folders without which a run or a rollback can't end well, by their keys in the config."""
    return {"pipeline.root": config.pipeline.root, "push.directory": config.push.directory}


def folder_problem(path: str) -> str:
    """Says why a folder on this machine can't be made or written; empty where it can. Leaves nothing behind."""
    existing = nearest(Path(path))
    if not existing.is_dir():
        return f"{existing} is {'a file' if existing.is_file() else 'no folder'}, so {path} can't be a folder"
    try:
        with suppress(FileNotFoundError):
            os.stat(path)  # fails for a name that is too long
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"permafrost")
    except OSError as error:
        return f"{existing} can't be written: {error.strerror}"
    return ""


def nearest(path: Path) -> Path:
    """The first of a path and its parents that exists."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path
