"""The weights of a SavedModel by name, read one at a time and without running its program."""

from collections import Counter

import numpy as np
import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.hub.saved_model_reader import SavedModelReader, all_finite


class Unreadable(ValueError):
    """A SavedModel, or one value in it, is damaged; the message says what TensorFlow found."""


class SavedWeights:
    """The floating-point variables of one SavedModel folder.

    Args:
        path: The folder.

    Attributes:
        shapes: By name.
        dtypes: By name.
        repeated: Names that several variables have.

    Raises:
        Unreadable: There is no SavedModel, or it is damaged.
    """

    def __init__(self, path: str) -> None:
        try:
            self._reader = SavedModelReader(path)
        except UserError as error:
            raise _unreadable(error) from None
        self._all = [variable for variable in self._reader.variables() if variable.dtype.is_floating]
        self._variables = {variable.name: variable for variable in self._all}
        self.shapes: dict[str, tuple[int, ...]] = {name: each.shape for name, each in self._variables.items()}
        self.dtypes: dict[str, tf.DType] = {name: each.dtype for name, each in self._variables.items()}
        times = Counter(variable.name for variable in self._all)
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

    def not_finite(self) -> list[str]:
        """The names of the variables with a number that is NaN or infinite; reads all of them.

        Raises:
            Unreadable: The bytes of a variable don't fit their checksum.
        """
        try:
            return [each.name for each in self._all if not all_finite(self._reader.value(each))]
        except UserError as error:
            raise _unreadable(error) from None


def _unreadable(error: UserError) -> Unreadable:
    """The reader's error without its words for a Hub model that should be fetched again."""
    return Unreadable(str(error.__context__ or error))
