"""Creates Keras-tracked variables that keep their Hub names and values."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from trainer_module.hub.layout import EncoderLayout

IsTrainable = Callable[[str], bool]


class HubWeights:
    """A source of variables for the layers of a rebuilt encoder.

    Args:
        layout: Which variables there are.
        values: The value of each, by Hub name.
        is_trainable: Whether the variable of that name trains.
    """

    def __init__(self, layout: EncoderLayout, values: Mapping[str, np.ndarray], is_trainable: IsTrainable) -> None:
        self._layout = layout
        self._values = values
        self._is_trainable = is_trainable

    def of_block(self, block: str) -> dict[str, tf.Variable]:
        """New variables for one part of the model, by role.

        A variable is created outside any layer's name scope, so that its name in the exported model is the Hub's.
        """
        return {
            variable.role: tf.Variable(
                self._values[variable.name],
                trainable=self._is_trainable(variable.name),
                name=variable.name,
                dtype=tf.float32,
            )
            for variable in self._layout.in_block(block)
        }


def hub_name(variable: tf.Variable) -> str:
    """A variable's name as the Hub model has it, without `:0`."""
    return str(variable.name).removesuffix(":0")
