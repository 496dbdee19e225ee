"""Compiles a config's pipeline for Vertex AI Pipelines. Needs no cloud."""

from typing import Any

from components.example_gen.spans import has_span
from pipeline.beam_args import compiled_beam_args
from pipeline.config import PipelineConfig
from pipeline.runners.job_file import write_job
from pipeline.runners.vertex_checks import check_for_vertex

__all__ = ["compile_job", "write_job"]


def compile_job(config: PipelineConfig, *, write_out: bool = False) -> dict[str, Any]:
    """The PipelineJob of a config's pipeline, schema version 2.1, by TFX's KubeflowV2DagRunner.

    Args:
        config: With absolute paths and a section `[vertex]`.
        write_out: Whether to write it as well, where TFX's own command line wants it.

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
    # Here, because they take seconds, which a config that is refused should not cost.
    from pipeline.pipeline import create_pipeline
    from pipeline.runners.vertex_dag_runner import VertexDagRunner
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
    runner = VertexDagRunner(vertex, has_span=has_span(config.data.train))
    return runner.run(pipeline, parameters.defaults(), write_out=write_out)
