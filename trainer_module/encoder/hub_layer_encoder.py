"""An encoder that couldn't be rebuilt: the SavedModel's own program, trained as planned."""

import logging
from collections.abc import Collection, Mapping

import tensorflow as tf
import tensorflow_hub as hub
import tf_keras as keras

from trainer_module.encoder.hub_call import call_hub_encoder
from trainer_module.encoder.hub_weights import IsTrainable, hub_name
from trainer_module.encoder.noise import Noise
from trainer_module.hub.hub_model import HubModel

_log = logging.getLogger("permafrost.encoder")


class HubLayerEncoder(keras.layers.Layer):
    """`hub.KerasLayer` with a plan applied to its lists of weights.

    The program has one switch for all of its dropout, at the rates that it was published with. While anything in
    it is frozen the switch stays off, because nothing frozen may get dropout.

    Args:
        hub_model: Its program is loaded, which runs it.
        is_trainable: Whether the variable of that name trains.
    """

    def __init__(self, hub_model: HubModel, is_trainable: IsTrainable) -> None:
        super().__init__(name="encoder")
        self._interface = hub_model.interface
        self._names = [variable.name for variable in hub_model.layout.variables]
        planned = {name for name in self._names if is_trainable(name)}
        self.layer = hub.KerasLayer(hub_model.load(), trainable=bool(planned), name="hub_layer")
        weights = list(self.layer.weights)
        # hub.KerasLayer trains all or nothing; Keras reads these two lists. They are filled, not replaced, because
        # Keras would add a list's variables to the first one by their own flags.
        self.layer._trainable_weights[:] = [variable for variable in weights if hub_name(variable) in planned]
        self.layer._non_trainable_weights[:] = [
            variable for variable in weights if hub_name(variable) in set(self._names) - planned
        ]
        self.train_only(planned)

    @property
    def hub_variables(self) -> dict[str, tf.Variable]:
        """Every variable that came from the Hub model, by its Hub name."""
        by_name = {hub_name(variable): variable for variable in self.layer.weights}
        return {name: by_name[name] for name in self._names}

    def train_only(self, names: Collection[str]) -> None:
        """See `Encoder.train_only`."""
        self._dropout = set(self._names) <= set(names)

    parts = 0

    def run_parts(
        self,
        inputs: Mapping[str, tf.Tensor],
        first: int,
        last: int,
        noise: Noise | None = None,
        first_only: bool = False,
    ) -> list[tf.Tensor]:
        """Never: the program has no parts."""
        raise NotImplementedError("a SavedModel's program runs as a whole only")

    def compute_in(self, dtype: tf.DType) -> None:
        """The program computes in what it was published with."""
        if dtype != tf.float32:
            _log.warning("train.compute_dtype: this encoder's own program computes in float32, whatever is set")

    def outputs(
        self,
        inputs: Mapping[str, tf.Tensor],
        noise: Noise | None = None,
        first: int = 0,
        first_only: bool = False,
    ) -> dict[str, tf.Tensor]:
        """See `Encoder.outputs`; the program draws its own random numbers."""
        assert first == 0
        return call_hub_encoder(self.layer, self._interface, inputs, training=noise is not None and self._dropout)

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """A Hub encoder's outputs for its three inputs; see `Encoder`."""
        return self.outputs(inputs, Noise.fresh() if training else None)
