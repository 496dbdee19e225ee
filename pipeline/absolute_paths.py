"""A config's relative paths, taken from the folder of its file."""

import os
import re
from pathlib import Path

from pydantic import BaseModel

from pipeline.metadata_settings import SQLITE, MetadataSettings
from pipeline.retrain_settings import RetrainSettings


def absolute_path(path: str, folder: Path) -> str:
    """`path` taken from `folder`, with `~` expanded; URLs (https://, gs://, hdfs:// …) stay as they are.

    Example:
        >>> absolute_path("../data/*.csv", Path("/project/configs"))
        '/project/data/*.csv'
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        return path
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def with_paths(section: BaseModel, folder: Path, *keys: str) -> BaseModel:
    """The section with the paths of these keys taken from `folder`; what is None stays so."""
    given = {key: getattr(section, key) for key in keys if getattr(section, key) is not None}
    return section.model_copy(update={key: absolute_path(path, folder) for key, path in given.items()})


def with_hook(retrain: RetrainSettings, folder: Path) -> RetrainSettings:
    """The same for the hook's command; one without a slash is looked up on the PATH."""
    if not retrain.hook or "/" not in retrain.hook[0]:
        return retrain
    return retrain.model_copy(update={"hook": [absolute_path(retrain.hook[0], folder), *retrain.hook[1:]]})


def with_sqlite_path(section: MetadataSettings, folder: Path) -> MetadataSettings:
    """The same for the file of an SQLite database; a server's URI stays as it is."""
    if section.sqlite_path is None:
        return section
    return section.model_copy(update={"uri": f"{SQLITE}:///{absolute_path(section.sqlite_path, folder)}"})
