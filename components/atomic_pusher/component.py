"""AtomicPusher: TFX's Pusher into a serving folder whose readers see the whole model or nothing."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.standard_component_specs import PusherSpec

from components.atomic_pusher.executor import KEEP_VERSIONS_KEY, Executor

LIVE_PUSH_KEY = "live_push"


class AtomicPusherSpec(PusherSpec):
    """The stock Pusher's, how many versions stay, and which push is live."""

    PARAMETERS = PusherSpec.PARAMETERS | {KEEP_VERSIONS_KEY: ExecutionParameter(type=int, optional=True)}
    INPUTS = PusherSpec.INPUTS | {
        LIVE_PUSH_KEY: ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
    }


class AtomicPusher(base_component.BaseComponent):
    """Pushes a blessed model into a folder as TensorFlow Serving reads it: one numbered folder per version.

    What it does more than the stock Pusher: see `push.push`. Its output is the stock Pusher's, `pushed_model`, with the
    custom properties `model_id` and `model_files` beside TFX's own, or `reason` where nothing was pushed.

    Args:
        model: The Trainer's.
        push_destination: The serving folder.
        model_blessing: Evaluator's.
        infra_blessing: ReleaseGate's or FreezeAudit's.
        live_push: The latest push, as `live_model.LiveModelStrategy` finds it. It isn't read: TFX's cache goes by a
            component's inputs, and what was pushed once may have been followed by other models since.
        keep_versions: How many versions stay in the folder, the new one among them; None: all.
    """

    SPEC_CLASS = AtomicPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        push_destination: pusher_pb2.PushDestination,
        model_blessing: BaseChannel | None = None,
        infra_blessing: BaseChannel | None = None,
        live_push: BaseChannel | None = None,
        keep_versions: int | None = None,
    ) -> None:
        spec = AtomicPusherSpec(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            live_push=live_push,
            push_destination=push_destination,
            keep_versions=keep_versions,
            pushed_model=Channel(type=standard_artifacts.PushedModel),
        )
        super().__init__(spec=spec)
