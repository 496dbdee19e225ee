"""A config as a package for Kubeflow Pipelines: one container component per node of the TFX pipeline."""

import inspect
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl
from kfp.dsl.base_component import BaseComponent
from tfx.dsl.compiler.compiler import Compiler
from tfx.proto.orchestration import pipeline_pb2

from pipeline.beam_args import compiled_beam_args
from pipeline.config import PipelineConfig
from pipeline.kfp_settings import KfpSettings, KfpStep
from pipeline.pipeline import create_pipeline
from pipeline.runners.kfp.checks import Installation, check_for_kfp
from pipeline.runners.kfp.node_ir import only_node, pack, parameter_types
from pipeline.runtime_parameters import runtime_parameters
from pipeline.vertex_jobs import STEP_ENVIRONMENT
from pipeline.vertex_settings import StepResources
from trainer_module.errors import UserError

# Parameters beside those of TFX's pipeline: what differs between installations.
PIPELINE_ROOT = "pipeline_root"
METADATA = "metadata"
RUN_ID = "run_id"

_COMMAND = ("python", "-m", "pipeline.runners.kfp.step")
_GPU = "nvidia.com/gpu"


def compile_package(config: PipelineConfig, path: Path) -> dict[str, Any]:
    """Writes the package that KFP's API, its UI and `kfp.Client` take. Needs no cluster.

    Args:
        config: With absolute paths and a section `[kfp]`.
        path: Of the YAML file; it is written whole or not at all.

    Returns:
        The PipelineSpec in it; the same of the same config each time.

    Raises:
        UserError: Names all that can't work on Kubeflow Pipelines.

    Example:
        >>> compile_package(load_config(Path("configs/kfp.toml")), Path("pipeline.yaml"))  # doctest: +SKIP
    """
    if path.suffix not in (".yaml", ".yml"):
        raise UserError(f"{path}: a package for Kubeflow Pipelines is YAML; give a name that ends in .yaml")
    installation = check_for_kfp(config)
    parameters = runtime_parameters(config)
    ir = Compiler().compile(
        create_pipeline(
            config,
            parameters=parameters,
            pipeline_root=installation.pipeline_root,
            beam_pipeline_args=compiled_beam_args(config.beam, config.vertex, installation.image),
        )
    )
    defaults = parameters.defaults() | {
        PIPELINE_ROOT: installation.pipeline_root,
        METADATA: installation.settings.metadata_address,
    }
    package = _pipeline(config, installation, ir, defaults)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = os.path.join(folder, "pipeline.yaml")  # KFP's compiler goes by the ending
        compiler.Compiler().compile(package, draft)
        os.replace(draft, path)
    spec: dict[str, Any] = next(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    return spec


def _pipeline(
    config: PipelineConfig, installation: Installation, ir: pipeline_pb2.Pipeline, defaults: Mapping[str, str | int]
) -> BaseComponent:
    def steps(*channels: Any) -> None:
        given = dict(zip(defaults, channels, strict=True))
        tasks: dict[str, dsl.PipelineTask] = {}
        for node in ir.nodes:
            node_id = node.pipeline_node.node_info.id
            of_node = only_node(ir, node_id)
            used = parameter_types(of_node)
            component = _component(node_id, installation.image, pack(of_node), used)
            inputs = {name: given[name] for name in (PIPELINE_ROOT, METADATA, *used)}
            task = component(**inputs, **{RUN_ID: dsl.PIPELINE_JOB_ID_PLACEHOLDER})
            task.after(*(tasks[upstream] for upstream in node.pipeline_node.upstream_nodes))
            _configure(task, installation.settings, _resources(config, installation.settings, node_id))
            tasks[node_id] = task

    types = {name: type(default) for name, default in defaults.items()}
    description = "Fine-tunes a TF-Hub BERT with chosen layers frozen; compiled by permafrost."
    return dsl.pipeline(
        _with_signature(steps, "pipeline", types, defaults), name=config.pipeline.name, description=description
    )


def _component(node_id: str, image: str, packed: str, parameters: Mapping[str, type]) -> BaseComponent:
    """What KFP knows of a node: a command, and the parameters that are put into it."""
    inputs = {RUN_ID: str, PIPELINE_ROOT: str, METADATA: str, **parameters}

    def container(*placeholders: Any) -> dsl.ContainerSpec:
        value = dict(zip(inputs, placeholders, strict=True))
        args = ["--node", node_id, "--run-id", value[RUN_ID]]
        args += ["--pipeline-root", value[PIPELINE_ROOT], "--metadata", value[METADATA]]
        for name in parameters:
            args += ["--parameter", name, value[name]]
        return dsl.ContainerSpec(image=image, command=list(_COMMAND), args=[*args, "--pipeline", packed])

    return dsl.container_component(_with_signature(container, _snake_case(node_id), inputs, {}))


def _configure(task: dsl.PipelineTask, settings: KfpSettings, resources: StepResources) -> None:
    # TFX's own cache knows more: what the inputs are, and whether the rows at a path changed.
    task.set_caching_options(False)
    for name, value in STEP_ENVIRONMENT.items():
        task.set_env_variable(name, value)
    if resources.cpu is not None:
        task.set_cpu_limit(f"{round(resources.cpu * 1000)}m")
    if resources.memory is not None:
        task.set_memory_limit(f"{round(resources.memory * 1000)}M")
    if resources.count:
        task.set_accelerator_type(_GPU).set_accelerator_limit(resources.count)
    # As the package kfp-kubernetes would write it; none of its releases goes with the kfp that goes with TFX 1.16.
    kubernetes: dict[str, Any] = {}
    if settings.volume:
        kubernetes["pvcMount"] = [{"constant": settings.volume.claim, "mountPath": settings.volume.mount}]
    if isinstance(resources, KfpStep) and resources.node_selector:
        kubernetes["nodeSelector"] = {"labels": resources.node_selector}
    if kubernetes:
        task.platform_config["kubernetes"] = kubernetes


def _resources(config: PipelineConfig, settings: KfpSettings, node_id: str) -> StepResources:
    of_vertex = config.vertex.resources if config.vertex else {}
    return settings.resources.get(node_id) or of_vertex.get(node_id) or StepResources()


def _with_signature(
    function: Callable[..., Any], name: str, types: Mapping[str, type], defaults: Mapping[str, str | int]
) -> Callable[..., Any]:
    """KFP's SDK reads names, types and defaults off a function; here they are known only now."""
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
