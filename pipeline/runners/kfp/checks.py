"""What of a config can't work on Kubeflow Pipelines, found before anything is compiled."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.config import PipelineConfig
from pipeline.kfp_settings import KfpSettings
from pipeline.runners.container_checks import is_visible, name_problems, paths
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
    problems = [*name_problems(config.pipeline.name, "Kubeflow Pipelines")]
    if not image:
        problems.append("kfp.image: is missing; give the container image that all steps run in")
    if not root:
        problems.append("kfp.pipeline_root: is missing; give a folder for artifacts, such as gs://my-bucket/permafrost")
    problems += _path_problems(config, settings)
    if problems or not image or not root:
        raise UserError(problems)
    return Installation(settings, image, root)


def _path_problems(config: PipelineConfig, settings: KfpSettings) -> Iterator[str]:
    opened = {**({"kfp.pipeline_root": settings.pipeline_root} if settings.pipeline_root else {}), **paths(config)}
    mount = settings.volume.mount if settings.volume else None
    where = f"kfp.volume.mount ({mount})" if mount else "kfp.volume.mount"
    for key, path in opened.items():
        if not is_visible(path, [*settings.image_paths, *([mount] if mount else [])]):
            yield (
                f"{key}: a step in a cluster can't see {path}; copy it to gs://… or below {where}, or, if the image "
                "holds it, name its folder in kfp.image_paths"
            )
