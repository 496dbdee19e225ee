"""What of a config can't work on Kubeflow Pipelines, found before anything is compiled."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.config import PipelineConfig
from pipeline.kfp_settings import KfpSettings
from trainer_module.errors import UserError


@dataclass(frozen=True)
class Installation:
    """What a package can't do without.

    Attributes:
        settings: The section `[kfp]`.
        image: Of all steps' containers.
        pipeline_root: Where artifacts go.
    """

    settings: KfpSettings
    image: str
    pipeline_root: str


def check_for_kfp(config: PipelineConfig) -> Installation:
    """The section `[kfp]`, once all of the config is known to fit.

    Raises:
        UserError: Names every problem.
    """
    settings = config.kfp
    if settings is None:
        raise UserError(
            "kfp: is missing; a pipeline for Kubeflow Pipelines needs a section [kfp], see configs/kfp.toml"
        )
    image = settings.image or (config.vertex.image if config.vertex else None)
    root = settings.pipeline_root
    problems = [*_name_problems(config.pipeline.name)]
    if not image:
        problems.append("kfp.image: is missing; give the container image that all steps run in")
    if not root:
        problems.append("kfp.pipeline_root: is missing; give a folder for artifacts, such as gs://my-bucket/permafrost")
    problems += _path_problems(config, settings)
    if problems or not image or not root:
        raise UserError(problems)
    return Installation(settings, image, root)


def _name_problems(name: str) -> Iterator[str]:
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,127}", name):
        fitting = re.sub("[^a-z0-9-]+", "-", name.lower()).strip("-")
        yield f"pipeline.name: Kubeflow Pipelines takes lower-case letters, digits and dashes only; write {fitting!r}"


def _path_problems(config: PipelineConfig, settings: KfpSettings) -> Iterator[str]:
    mount = f" ({settings.volume.mount})" if settings.volume else ""
    paths = {
        "kfp.pipeline_root": settings.pipeline_root,
        "data.train": config.data.train,
        "data.eval": config.data.eval,
        "data.schema": config.data.schema_path,
        "model.hub": config.model.hub,
        "model.preprocess": config.model.preprocess,
        "model.vocab": config.model.vocab,
        "train.prefix_cache_dir": config.train.prefix_cache_dir,
        "push.directory": config.push.directory,
    }
    for key, path in paths.items():
        if path and not settings.is_seen_by_steps(path):
            yield (
                f"{key}: a step in a cluster can't see {path}; copy it to gs://… or below kfp.volume.mount{mount}, or, "
                "if the image holds it, name its folder in kfp.image_paths"
            )
