"""What of a config can't work on Vertex AI, found before anything is compiled."""

from collections.abc import Iterator

from pipeline.config import PipelineConfig
from pipeline.runners.container_checks import is_visible, name_problems, paths
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
    problems = [*name_problems(config.pipeline.name, "Vertex AI"), *_path_problems(config, config.vertex)]
    if problems:
        raise UserError(problems)
    return config.vertex


def _path_problems(config: PipelineConfig, vertex: VertexSettings) -> Iterator[str]:
    if "://" not in vertex.staging_root:
        return  # The job runs on this machine, which sees its own files.
    opened = paths(config)
    if config.push.vertex:
        del opened["push.directory"]
    for key, path in opened.items():
        if not is_visible(path, [_GCS_MOUNT, *vertex.image_paths]):
            yield (
                f"{key}: a container on Vertex AI can't see {path}; copy it to gs://…, or, if the image holds it, "
                "name its folder in vertex.image_paths"
            )
