"""Compiles a pipeline for Vertex AI Pipelines: a PipelineJob, by TFX's KubeflowV2DagRunner. Needs no cloud."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.example_gen.spans import has_span
from pipeline.beam_args import compiled_beam_args
from pipeline.config import PipelineConfig
from pipeline.runners.vertex_checks import check_for_vertex
from pipeline.vertex_jobs import STEP_ENVIRONMENT
from pipeline.vertex_settings import StepResources

_SPAN_DRIVER = ["python", "-m", "components.example_gen.v2_span_driver"]


def compile_job(config: PipelineConfig) -> dict[str, Any]:
    """The PipelineJob of a config's pipeline, schema version 2.1.

    Args:
        config: With absolute paths and a section `[vertex]`.

    Returns:
        What JSON can hold; the same of the same config each time.

    Raises:
        UserError: Names all that can't work on Vertex AI.

    Example:
        >>> job = compile_job(load_config(Path("configs/vertex.toml")))    # doctest: +SKIP
        >>> job["runtimeConfig"]["parameterValues"]["train_steps"]         # doctest: +SKIP
        0.0
    """
    vertex = check_for_vertex(config)
    # Here, because it takes seconds, which a config that is refused should not cost.
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as v2

    from pipeline.pipeline import create_pipeline
    from pipeline.runtime_parameters import runtime_parameters

    parameters = runtime_parameters(config)
    pipeline = create_pipeline(
        config,
        parameters=parameters,
        pipeline_root=vertex.staging_root,
        on_vertex=True,
        enable_cache=vertex.cache,
        beam_pipeline_args=compiled_beam_args(config.beam, vertex),
    )
    runner = v2.KubeflowV2DagRunner(
        v2.KubeflowV2DagRunnerConfig(default_image=vertex.image, use_pipeline_spec_2_1=True)
    )
    defaults = parameters.defaults()
    job: dict[str, Any] = runner.run(pipeline, parameter_values=defaults, write_out=False)
    job.setdefault("labels", {}).update(vertex.labels)
    spec = job["pipelineSpec"]
    _set_defaults(spec, defaults)
    for label, executor in spec["deploymentSpec"]["executors"].items():
        if "container" in executor:
            step = label.removesuffix("_executor")
            _complete(executor["container"], vertex.resources.get(step))
            if step == "ExampleGen" and has_span(config.data.train):
                executor["container"]["lifecycle"]["preCacheCheck"]["command"] = _SPAN_DRIVER
    return job


def write_job(job: Mapping[str, Any], path: Path) -> None:
    """Writes a PipelineJob as JSON: the same bytes for the same job."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(job, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _set_defaults(spec: dict[str, Any], defaults: Mapping[str, str | int]) -> None:
    """TFX puts the parameters' values into the job only, where a schedule or a copied spec would lose them."""
    for name, definition in spec["root"]["inputDefinitions"]["parameters"].items():
        definition["defaultValue"] = defaults[name]


def _complete(container: dict[str, Any], resources: StepResources | None) -> None:
    """Adds the environment and the resources, for which TFX has no place or (ExampleGen) forgets them."""
    container["env"] = [{"name": name, "value": value} for name, value in STEP_ENVIRONMENT.items()]
    limits: dict[str, Any] = {}
    if resources and resources.cpu is not None:
        limits["cpuLimit"] = resources.cpu
    if resources and resources.memory is not None:
        limits["memoryLimit"] = resources.memory
    if resources and resources.count:
        limits["accelerator"] = {"type": resources.accelerator, "count": str(resources.count)}
    if limits:
        container["resources"] = limits
