"""The weights of a SavedModel by name, read one at a time and without running its program."""

from collections import Counter

import numpy as np
import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.hub.saved_model_reader import SavedModelReader


class Unreadable(ValueError):
    """A SavedModel, or one value in it, is damaged; the message says what TensorFlow found."""


class SavedWeights:
    """The floating-point variables of one SavedModel folder.

    Args:
        path: The folder.
        node: The object in it whose variables are meant; default: the whole model's.

    Attributes:
        shapes: By name.
        dtypes: By name.
        repeated: Names that several variables have.

    Raises:
        Unreadable: There is no SavedModel, or it is damaged.
    """

    def __init__(self, path: str, node: int = 0) -> None:
        try:
            self._reader = SavedModelReader(path)
        except UserError as error:
            raise _unreadable(error) from None
        variables = [variable for variable in self._reader.variables(node) if variable.dtype.is_floating]
        self._variables = {variable.name: variable for variable in variables}
        self.shapes: dict[str, tuple[int, ...]] = {name: each.shape for name, each in self._variables.items()}
        self.dtypes: dict[str, tf.DType] = {name: each.dtype for name, each in self._variables.items()}
        times = Counter(variable.name for variable in variables)
        self.repeated = {name for name in times if times[name] > 1}

    def read(self, name: str) -> np.ndarray:
        """A variable's value.

        Raises:
            KeyError: There is no such variable.
            Unreadable: Its bytes don't fit their checksum.
        """
        try:
            return self._reader.value(self._variables[name])
        except UserError as error:
            raise _unreadable(error) from None


def _unreadable(error: UserError) -> Unreadable:
    """The reader's error without its words for a Hub model that should be fetched again."""
    return Unreadable(str(error.__context__ or error))
