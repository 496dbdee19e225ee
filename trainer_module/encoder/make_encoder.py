"""The encoder that trains: rebuilt where that is proven to be the same function, else the SavedModel's program."""

import logging
from dataclasses import dataclass

import tensorflow as tf

from trainer_module.encoder.encoder import Encoder
from trainer_module.encoder.hub_layer_encoder import HubLayerEncoder
from trainer_module.encoder.hub_weights import IsTrainable
from trainer_module.encoder.rebuild import CannotRebuild, rebuild
from trainer_module.hub.hub_model import HubModel

_log = logging.getLogger("permafrost.encoder")


@dataclass(frozen=True)
class MadeEncoder:
    """An encoder, and in words how it came about.

    Attributes:
        encoder: What trains.
        rebuilt: Whether it is our own network; else it is the SavedModel's program in a `hub.KerasLayer`.
        largest_difference: Between any output of the SavedModel and of `encoder`, absolute; 0 when not rebuilt.
        description: For a person.
    """

    encoder: Encoder
    rebuilt: bool
    largest_difference: float
    description: str


def make_encoder(
    hub_model: HubModel,
    is_trainable: IsTrainable,
    dropout: float,
    strategy: tf.distribute.Strategy | None = None,
) -> MadeEncoder:
    """Loads the SavedModel's program, which runs it, and rebuilds it where possible.

    Args:
        hub_model: Source of weights and program.
        is_trainable: Whether the variable of that Hub name trains.
        dropout: Rate inside the parts that train, where rebuilt; the program has its own.
        strategy: In whose scope the variables are made; none: the current one. Not to be called in a scope: there the
            program could be loaded but not be run.
    """
    try:
        rebuilt = rebuild(hub_model, is_trainable, dropout, strategy)
    except CannotRebuild as reason:
        description = f"not rebuilt ({reason}): trains through hub.KerasLayer"
        _log.warning("%s: %s", hub_model.handle, description)
        with (strategy or tf.distribute.get_strategy()).scope():
            return MadeEncoder(HubLayerEncoder(hub_model, is_trainable), False, 0.0, description)
    description = (
        f"rebuilt: {rebuilt.activation}, epsilon {rebuilt.epsilon:g}; "
        f"a probe differs from the SavedModel by {rebuilt.largest_difference:.2g}"
    )
    _log.info("%s: %s", hub_model.handle, description)
    return MadeEncoder(rebuilt.encoder, True, rebuilt.largest_difference, description)
