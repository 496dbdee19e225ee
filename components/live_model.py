"""Which model is live: that of the latest push."""

import logging
from collections.abc import Iterable

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types.artifact import Artifact

from components.artifact_properties import MODEL_ID

MODEL_KEY = "model"
PUSHED_MODEL_KEY = "pushed_model"

_log = logging.getLogger("permafrost.live_model")


class LiveModelStrategy(ResolverStrategy):
    """Finds the latest push that stands, and the model that it pushed.

    TFX's LatestBlessedModelStrategy takes the latest model that Evaluator blessed, although it may never have been
    pushed (an audit failed), or was taken back since. A push stands as long as ML Metadata has its PushedModel as live.

    Example:
        >>> live_model = Resolver(
        ...     strategy_class=LiveModelStrategy,
        ...     model=Channel(type=standard_artifacts.Model),
        ...     pushed_model=Channel(type=standard_artifacts.PushedModel))                   # doctest: +SKIP
    """

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]] | None:
        """See base class.

        Args:
            store: ML Metadata.
            input_dict: All live artifacts of this pipeline: `model` and `pushed_model`.

        Returns:
            One of each, or none where nothing was pushed, or where no pushed model is there any more.
        """
        models = {model.id: model for model in input_dict[MODEL_KEY]}
        pushes = [push for push in input_dict[PUSHED_MODEL_KEY] if push.get_int_custom_property("pushed") == 1]
        for push in sorted(pushes, key=lambda push: push.id, reverse=True):
            model = models.get(push.get_int_custom_property(MODEL_ID) or _model_pushed(store, push))
            if model is not None:
                return {MODEL_KEY: [model], PUSHED_MODEL_KEY: [push]}
            _log.warning(
                "the model that was pushed as version %s is no longer among the pipeline's artifacts; "
                "going by the push before it",
                push.get_string_custom_property("pushed_version"),
            )
        return {MODEL_KEY: [], PUSHED_MODEL_KEY: []}


def _model_pushed(store: MetadataStore, push: Artifact) -> int:
    """The id of the Model that the execution read which pushed; 0 where that isn't known.

    For pushes of TFX's own Pusher, which doesn't write down what it pushed.
    """
    events = store.get_events_by_artifact_ids([push.id])
    made_by = sorted(event.execution_id for event in events if event.type == mlmd.Event.OUTPUT)
    read = [
        event.artifact_id
        for event in store.get_events_by_execution_ids(made_by[:1])
        if event.type == mlmd.Event.INPUT and _has_key(event.path.steps, MODEL_KEY)
    ]
    return read[0] if read else 0


def _has_key(steps: Iterable[mlmd.Event.Path.Step], key: str) -> bool:
    return any(step.HasField("key") and step.key == key for step in steps)
