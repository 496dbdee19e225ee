"""What of a config can't work on Vertex AI, found before anything is compiled."""

from collections.abc import Iterator

from pipeline.config import PipelineConfig
from pipeline.runners.container_checks import is_visible, name_problems, paths
from pipeline.vertex_settings import VertexSettings, VertexTraining
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
    problems = [
        *name_problems(config.pipeline.name, "Vertex AI"),
        *_path_problems(config, config.vertex),
        *_distribution_problems(config.train.distribution, config.vertex.training),
    ]
    if problems:
        raise UserError(problems)
    return config.vertex


def _distribution_problems(distribution: str, training: VertexTraining | None) -> Iterator[str]:
    """What Trainer would find out only when all steps before it have run."""
    workers = training.workers if training else 1
    if workers > 1 and distribution not in ("auto", "multi_worker"):
        yield (
            f"train.distribution: {distribution!r} leaves {workers - 1} of the {workers} machines of vertex.training "
            "without work; write 'auto' or 'multi_worker', or set vertex.training.workers = 1"
        )
    if workers == 1 and distribution == "multi_worker":
        yield "train.distribution: 'multi_worker' needs several machines; set vertex.training.workers, or write 'auto'"


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
