"""What is checked of a config whose steps run in containers elsewhere, whatever service starts them."""

import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from pipeline.config import PipelineConfig


def name_problems(name: str, service: str) -> Iterator[str]:
    """What is wrong with the pipeline's name, in the service's eyes."""
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,127}", name):
        fitting = re.sub("[^a-z0-9-]+", "-", name.lower()).strip("-")
        yield f"pipeline.name: {service} takes lower-case letters, digits and dashes only; write {fitting!r}"


def paths(config: PipelineConfig) -> dict[str, str]:
    """The paths that steps open, by key; `push.directory` among them."""
    given = {
        "data.train": config.data.train,
        "data.eval": config.data.eval_path,
        "data.schema": config.data.schema_path,
        "model.hub": config.model.hub,
        "model.preprocess": config.model.preprocess,
        "model.vocab": config.model.vocab,
        "train.prefix_cache_dir": config.train.prefix_cache_dir,
        "train.checkpoint_dir": config.train.checkpoint_dir,
        "push.directory": config.push.directory,
    }
    return {key: path for key, path in given.items() if path is not None}


def is_visible(path: str, folders: Collection[str]) -> bool:
    """Whether a container sees the path: a URL, or something in a folder that it is known to see.

    Example:
        >>> [is_visible(path, ["/mnt/x"]) for path in ("gs://b/a", "/mnt/x/a", "/mnt/xy/a")]
        [True, True, False]
    """
    if "://" in path:
        return not path.startswith("file://")
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)
