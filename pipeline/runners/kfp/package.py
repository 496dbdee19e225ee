"""A config as a package for Kubeflow Pipelines: one container component per node of the TFX pipeline."""

import inspect
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from kfp import compiler, dsl
from kfp.dsl.base_component import BaseComponent
from tfx.dsl.compiler.compiler import Compiler
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import Property

from pipeline.config import PipelineConfig
from pipeline.kfp_settings import KfpSettings
from pipeline.pipeline import create_pipeline
from pipeline.runners.kfp.node_ir import only_node, pack, runtime_parameters
from trainer_module.errors import UserError

# Beside those that TFX's pipeline has: what differs between installations.
PIPELINE_ROOT = "pipeline_root"
METADATA = "metadata"
_COMMAND = ("python", "-m", "pipeline.runners.kfp.step")


def compile_package(config: PipelineConfig, path: Path) -> dict[str, Any]:
    """Writes the package that KFP's API, its UI and `kfp.Client` take. Needs no cluster.

    Args:
        config: With a `[kfp]` section.
        path: Of the YAML file; either it is written whole or not at all.

    Returns:
        The pipeline spec in it.

    Raises:
        UserError: The section is missing or lacks something, or a path that no step would see: all problems at once.

    Example:
        >>> compile_package(load_config(Path("configs/kfp.toml")), Path("pipeline.yaml"))  # doctest: +SKIP
    """
    settings = _checked_settings(config)
    ir = Compiler().compile(create_pipeline(config))
    pipeline = _pipeline(config.pipeline.name, settings, ir)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = os.path.join(folder, "pipeline.yaml")  # the compiler goes by the ending
        compiler.Compiler().compile(pipeline, draft)
        os.replace(draft, path)
    spec: dict[str, Any] = next(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    return spec


def _pipeline(name: str, settings: KfpSettings, ir: pipeline_pb2.Pipeline) -> BaseComponent:
    parameters: dict[str, Property] = {
        **runtime_parameters(ir),
        PIPELINE_ROOT: str(settings.pipeline_root),
        METADATA: settings.metadata_address,
    }

    def steps(*channels: Any) -> None:
        given = dict(zip(parameters, channels, strict=True))
        tasks: dict[str, dsl.PipelineTask] = {}
        for node in ir.nodes:
            node_id = node.pipeline_node.node_info.id
            of_node = only_node(ir, node_id)
            used = {name: type(default) for name, default in runtime_parameters(of_node).items()}
            component = _component(node_id, str(settings.image), pack(of_node), used)
            task = component(
                run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
                **{name: given[name] for name in (PIPELINE_ROOT, METADATA, *used)},
            )
            _configure(task, settings)
            task.after(*(tasks[upstream] for upstream in node.pipeline_node.upstream_nodes))
            tasks[node_id] = task

    return dsl.pipeline(
        _with_signature(steps, "pipeline", {key: type(default) for key, default in parameters.items()}, parameters),
        name=name,
        description="Fine-tunes a TF-Hub BERT with chosen layers frozen; compiled by permafrost.",
    )


def _component(node_id: str, image: str, packed: str, parameters: Mapping[str, type]) -> BaseComponent:
    """What KFP knows of a node: a command, and the parameters that are put into it."""
    inputs = {"run_id": str, PIPELINE_ROOT: str, METADATA: str, **parameters}

    def container(*placeholders: Any) -> dsl.ContainerSpec:
        value = dict(zip(inputs, placeholders, strict=True))
        args = ["--node", node_id, "--run-id", value["run_id"]]
        args += ["--pipeline-root", value[PIPELINE_ROOT], "--metadata", value[METADATA]]
        for name in parameters:
            args += ["--parameter", name, value[name]]
        return dsl.ContainerSpec(image=image, command=list(_COMMAND), args=[*args, "--pipeline", packed])

    return dsl.container_component(_with_signature(container, _snake_case(node_id), inputs, {}))


def _configure(task: dsl.PipelineTask, settings: KfpSettings) -> None:
    # TFX's own cache knows more: it looks at what the inputs are, and at what was taken away since.
    task.set_caching_options(False)
    task.set_env_variable("TF_USE_LEGACY_KERAS", "1")
    if settings.volume:
        # As kfp-kubernetes' `mount_pvc` writes it, which no kfp that goes with TFX 1.16 has a release for.
        task.platform_config["kubernetes"] = {
            "pvcMount": [{"constant": settings.volume.claim, "mountPath": settings.volume.mount}]
        }


def _with_signature(
    function: Callable[..., Any], name: str, types: Mapping[str, type], defaults: Mapping[str, Property]
) -> Callable[..., Any]:
    """The KFP SDK reads names, types and defaults off a function; here they are known only now."""
    function.__name__ = name
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                key,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=annotation,
                default=defaults.get(key, inspect.Parameter.empty),
            )
            for key, annotation in types.items()
        ]
    )
    return function


def _snake_case(node_id: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", node_id).lower()


def _checked_settings(config: PipelineConfig) -> KfpSettings:
    settings = config.kfp
    if settings is None:
        raise UserError("there is no section [kfp]; it needs at least image and pipeline_root, see configs/kfp.toml")
    problems = []
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", config.pipeline.name):
        problems.append(
            "pipeline.name: Kubeflow Pipelines takes lower case letters, digits and '-', a letter or digit first; "
            f"given {config.pipeline.name!r}"
        )
    if not settings.image:
        problems.append("kfp.image: is missing; the container image that every step runs in")
    if not settings.pipeline_root:
        problems.append("kfp.pipeline_root: is missing; where artifacts go, such as gs://bucket/permafrost")
    places = {
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
    problems += [
        f"{key}: is on this machine, where no step of a cluster sees it: {place}; "
        f"give a URL such as gs://…, or a path below kfp.volume.mount{_at(settings)}"
        for key, place in places.items()
        if place and not settings.is_seen_by_steps(place)
    ]
    if problems:
        raise UserError(problems)
    return settings


def _at(settings: KfpSettings) -> str:
    return f" ({settings.volume.mount})" if settings.volume else ""
