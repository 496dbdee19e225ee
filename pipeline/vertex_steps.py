"""The two steps that may leave their work to another service of Vertex AI: a job that trains, an endpoint."""

from typing import Any

from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2

from pipeline.config import PipelineConfig
from pipeline.vertex_jobs import endpoint_config, training_config
from trainer_module.settings import BertSettings

# Their executors are imported only when they are asked for: Google's clients take seconds.


def training(config: PipelineConfig, settings: BertSettings, *, on_vertex: bool) -> dict[str, Any]:
    """PlannedTrainer's arguments that say where to train: where it runs, or in the job of `[vertex.training]`."""
    custom_config = settings.to_custom_config()
    if not (on_vertex and config.vertex and config.vertex.training):
        return {"custom_config": custom_config}
    from components.planned_trainer.vertex_executor import Executor

    job = training_config(config, config.vertex, config.vertex.training)
    return {"custom_config": custom_config | job, "executor": Executor}


def destination(config: PipelineConfig, *, on_vertex: bool) -> dict[str, Any]:
    """Pusher's arguments that say where the model goes: into a folder, or to the endpoint of `[push.vertex]`."""
    if not (on_vertex and config.vertex and config.push.vertex):
        folder = pusher_pb2.PushDestination.Filesystem(base_directory=config.push.directory)
        return {"push_destination": pusher_pb2.PushDestination(filesystem=folder)}
    from tfx.extensions.google_cloud_ai_platform.pusher.executor import Executor

    return {
        "custom_config": endpoint_config(config.vertex, config.push.vertex),
        "custom_executor_spec": executor_spec.ExecutorClassSpec(Executor),
    }
