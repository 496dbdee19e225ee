"""A TF-Hub encoder as the source of weights, vocabulary, casing and architecture."""

import os
from functools import cached_property

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

from trainer_module.errors import UserError
from trainer_module.layout import EncoderLayout
from trainer_module.saved_model_reader import SavedModelReader
from trainer_module.settings import ModelSettings
from trainer_module.variable_names import read_layout


class HubModel:
    """What a Hub SavedModel holds, read without running it.

    Args:
        handle: `https://tfhub.dev/…`, or the folder of a SavedModel (local, `gs://`).
        expected_digest: Refuse another content than this `sha256:…`.

    Attributes:
        handle: As given.
        path: Where the SavedModel lies; for a remote handle, TF-Hub's cache.
        layout: Its variables and architecture.

    Raises:
        UserError: The handle can't be resolved, isn't a SavedModel or a BERT encoder, or differs from the digest.

    Example:
        >>> model = HubModel("hub_models/bert_L-4_H-32")    # doctest: +SKIP
        >>> model.layout.blocks, model.lower_case           # doctest: +SKIP
        (4, True)
    """

    def __init__(self, handle: str, expected_digest: str | None = None) -> None:
        self.handle = handle
        self.path = _resolve(handle)
        self._reader = SavedModelReader(self.path)
        if expected_digest is not None and self.digest != expected_digest:
            raise UserError(
                f"model.hub_digest: {handle} has changed: it is {self.digest}, not {expected_digest}; "
                "fetch the model you meant, or put the new digest in the config"
            )
        # `do_lower_case` is a variable too, and a Hub layer lists it among its weights.
        self._saved = [variable for variable in self._reader.variables() if variable.dtype.is_floating]
        self.layout: EncoderLayout = read_layout([(v.name, v.shape) for v in self._saved], handle)

    @classmethod
    def from_settings(cls, settings: ModelSettings) -> "HubModel":
        """The model that a configuration names, under the conditions that it sets."""
        return cls(settings.hub, settings.hub_digest)

    @cached_property
    def digest(self) -> str:
        """`sha256:…` of the SavedModel's content."""
        return self._reader.digest()

    @cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """The value of each variable in the layout, by name."""
        return {variable.name: self._reader.value(variable) for variable in self._saved}

    @property
    def vocab_path(self) -> str | None:
        """The word-piece vocabulary file, one piece a line, where the model brings one."""
        return self._reader.root_asset("vocab_file")

    @property
    def lower_case(self) -> bool | None:
        """Whether the vocabulary is uncased; None when the model doesn't say."""
        flag = self._reader.root_variable("do_lower_case")
        return None if flag is None else bool(flag)

    def load(self) -> tf.Module:
        """Loads the SavedModel as a callable: this runs its program."""
        return tf.saved_model.load(self.path)


def _resolve(handle: str) -> str:
    if "://" not in handle and not os.path.isdir(handle):
        raise UserError(f"model.hub: no such folder: {handle}; give a TF-Hub handle or the folder of a SavedModel")
    try:
        return str(hub.resolve(handle))
    except Exception as error:  # tensorflow-hub raises whatever its resolver's transport does
        raise UserError(f"model.hub: {handle} can't be fetched: {error}") from None
