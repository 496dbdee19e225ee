"""What of a config can't work on Vertex AI, found before anything is compiled."""

import re
from collections.abc import Iterator

from pipeline.config import PipelineConfig
from pipeline.vertex_settings import VertexSettings
from trainer_module.errors import UserError

_GCS_MOUNT = "/gcs"


def check_for_vertex(config: PipelineConfig) -> VertexSettings:
    """The section `[vertex]`, once all of the config is known to fit.

    Raises:
        UserError: Names every problem.
    """
    if config.vertex is None:
        raise UserError(
            "vertex: is missing; a pipeline for Vertex AI needs a section [vertex], see configs/vertex.toml"
        )
    problems = [*_name_problems(config.pipeline.name), *_path_problems(config, config.vertex)]
    if problems:
        raise UserError(problems)
    return config.vertex


def _name_problems(name: str) -> Iterator[str]:
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,127}", name):
        fitting = re.sub("[^a-z0-9-]+", "-", name.lower()).strip("-")
        yield f"pipeline.name: Vertex AI takes lower-case letters, digits and dashes only; write {fitting!r}"


def _path_problems(config: PipelineConfig, vertex: VertexSettings) -> Iterator[str]:
    if "://" not in vertex.staging_root:
        return  # The job runs on this machine, which sees its own files.
    visible = [_GCS_MOUNT, *vertex.image_paths]
    for key, path in _paths(config):
        if "://" in path:
            continue
        if not any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in visible):
            yield (
                f"{key}: a container on Vertex AI can't see {path}; copy it to gs://…, or, if the image holds it, "
                "name its folder in vertex.image_paths"
            )


def _paths(config: PipelineConfig) -> Iterator[tuple[str, str]]:
    given = {
        "data.train": config.data.train,
        "data.eval": config.data.eval,
        "data.schema": config.data.schema_path,
        "model.hub": config.model.hub,
        "model.preprocess": config.model.preprocess,
        "model.vocab": config.model.vocab,
        "train.prefix_cache_dir": config.train.prefix_cache_dir,
        "push.directory": None if config.push.vertex else config.push.directory,
    }
    yield from ((key, path) for key, path in given.items() if path is not None)
