"""The two steps that may leave their work to another service of Vertex AI: a job that trains, an endpoint."""

from typing import Any

from tfx.components.pusher.component import Pusher
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel

from components.atomic_pusher.component import AtomicPusher
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


def pusher(
    config: PipelineConfig,
    *,
    on_vertex: bool,
    model: BaseChannel,
    model_blessing: BaseChannel,
    infra_blessing: BaseChannel,
    live_push: BaseChannel | None,
) -> BaseComponent:
    """Pusher: into a folder, or to the endpoint of `[push.vertex]`.

    Args:
        config: See `PipelineConfig`.
        on_vertex: Whether `[push.vertex]` holds.
        model: The Trainer's.
        model_blessing: Evaluator's.
        infra_blessing: What else must be given.
        live_push: The latest push; None where nobody can tell.
    """
    channels = {"model": model, "model_blessing": model_blessing, "infra_blessing": infra_blessing}
    if not (on_vertex and config.vertex and config.push.vertex):
        folder = pusher_pb2.PushDestination.Filesystem(base_directory=config.push.directory)
        return AtomicPusher(
            **channels,
            live_push=live_push,
            push_destination=pusher_pb2.PushDestination(filesystem=folder),
            keep_versions=config.push.keep_versions,
        ).with_id("Pusher")
    from tfx.extensions.google_cloud_ai_platform.pusher.executor import Executor

    return Pusher(
        **channels,
        custom_config=endpoint_config(config.vertex, config.push.vertex),
        custom_executor_spec=executor_spec.ExecutorClassSpec(Executor),
    )
