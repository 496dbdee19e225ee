"""TFX's compiler for Vertex AI Pipelines, and what it leaves out of the job."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as v2
from tfx.orchestration.pipeline import Pipeline

from pipeline.runners.job_file import write_job
from pipeline.vertex_jobs import STEP_ENVIRONMENT
from pipeline.vertex_settings import StepResources, VertexSettings

_SPAN_DRIVER = ["python", "-m", "components.example_gen.v2_span_driver"]


class VertexDagRunner(v2.KubeflowV2DagRunner):
    """Compiles a pipeline into a PipelineJob, schema version 2.1.

    Args:
        vertex: Image, labels and resources.
        has_span: Whether ExampleGen chooses among spans.
    """

    def __init__(self, vertex: VertexSettings, *, has_span: bool) -> None:
        super().__init__(v2.KubeflowV2DagRunnerConfig(default_image=vertex.image, use_pipeline_spec_2_1=True))
        self._vertex = vertex
        self._has_span = has_span

    def run(
        self,
        pipeline: Pipeline,
        parameter_values: Mapping[str, str | int] | None = None,
        write_out: bool | None = True,
    ) -> dict[str, Any]:
        """See base class.

        Args:
            pipeline: From `create_pipeline`.
            parameter_values: The runtime parameters' values, which become their defaults too.
            write_out: Whether to write the job where TFX's command line says; by default `pipeline.json` right here.
        """
        defaults = dict(parameter_values or {})
        job: dict[str, Any] = super().run(pipeline, parameter_values=defaults, write_out=False)
        job.setdefault("labels", {}).update(self._vertex.labels)
        spec = job["pipelineSpec"]
        _set_defaults(spec, defaults)
        for label, executor in spec["deploymentSpec"]["executors"].items():
            if "container" in executor:
                self._complete(label.removesuffix("_executor"), executor["container"])
        if write_out:
            write_job(job, Path(self._output_dir, self._output_filename))
        return job

    def _complete(self, step: str, container: dict[str, Any]) -> None:
        """Adds what TFX has no place for (environment) or forgets where the step is ExampleGen (resources)."""
        container["env"] = [{"name": name, "value": value} for name, value in STEP_ENVIRONMENT.items()]
        if limits := _limits(self._vertex.resources.get(step)):
            container["resources"] = limits
        if self._has_span and step == "ExampleGen":
            container["lifecycle"]["preCacheCheck"]["command"] = _SPAN_DRIVER


def _set_defaults(spec: dict[str, Any], defaults: Mapping[str, str | int]) -> None:
    """TFX puts the parameters' values into the job only, where who uses the spec in another job would lose them."""
    for name, definition in spec["root"]["inputDefinitions"]["parameters"].items():
        definition["defaultValue"] = defaults[name]


def _limits(resources: StepResources | None) -> dict[str, Any]:
    if resources is None:
        return {}
    limits: dict[str, Any] = {"cpuLimit": resources.cpu, "memoryLimit": resources.memory}
    if resources.count:
        # A 64-bit number, which protobuf's JSON writes as text.
        limits["accelerator"] = {"type": resources.accelerator, "count": str(resources.count)}
    return {name: limit for name, limit in limits.items() if limit is not None}
