"""The checks, in the order in which one depends on the other."""

from functools import partial

from pipeline.config import PipelineConfig
from pipeline.doctor.examination import Check, Finding, ok
from pipeline.doctor.installation import (
    check_glibc,
    check_legacy_keras,
    check_python,
    check_text_ops,
    check_versions,
)
from pipeline.doctor.machine import check_folder, check_memory
from pipeline.doctor.services import check_credentials, check_kubeflow, check_project, check_staging_root


def installation_checks() -> list[Check]:
    """What every pipeline needs."""
    return [
        Check("Python", check_python),
        Check("glibc", check_glibc),
        Check("packages", check_versions),
        Check("legacy Keras", check_legacy_keras),
        Check("tensorflow-text", check_text_ops),
        Check("memory", check_memory),
    ]


def pipeline_checks(config: PipelineConfig) -> list[Check]:
    """What this pipeline needs. Folders that are not on this machine are left out.

    Args:
        config: With absolute paths.
    """
    folders = {
        "pipeline.root": config.pipeline.root,
        "push.directory": config.push.directory,
        "train.prefix_cache_dir": config.train.prefix_cache_dir,
        "train.checkpoint_dir": config.train.checkpoint_dir,
    }
    checks = [
        Check(key, partial(check_folder, path))
        for key, path in folders.items()
        if path is not None and "://" not in path
    ]
    checks.append(Check("model.hub", partial(_check_model, config)))
    if config.vertex is not None:
        checks += [
            Check("Google Cloud credentials", partial(check_credentials, config.vertex)),
            Check("Google Cloud project", partial(check_project, config.vertex)),
            Check("staging bucket", partial(check_staging_root, config.vertex)),
        ]
    if config.kfp is not None and config.kfp.host is not None:
        checks.append(Check("Kubeflow Pipelines", partial(check_kubeflow, config.kfp.host)))
    return checks


def _check_model(config: PipelineConfig) -> Finding:
    """Whether the Hub model is there and is one that can be trained. Runs nothing of it."""
    from trainer_module.hub.hub_model import HubModel

    settings = config.bert_settings()
    model = HubModel(settings.hub, allow_unsafe_ops=settings.allow_unsafe_ops, hosts=settings.hub_hosts)
    return ok(f"{settings.hub}: {model.layout.family}, {model.layout.blocks} blocks")
