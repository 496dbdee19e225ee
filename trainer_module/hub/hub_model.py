"""A TF-Hub encoder as the source of weights, vocabulary, casing and architecture."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, reduce
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.hub.hub_interface import ENCODER_INPUTS, HubInterface
from trainer_module.hub.hub_source import DEFAULT_HOSTS, resolve_handle
from trainer_module.hub.layout import EncoderLayout
from trainer_module.hub.private_copy import private_copy
from trainer_module.hub.program_scan import ProgramScan, scan_program
from trainer_module.hub.saved_model_reader import SavedModelReader, SavedVariable, all_finite
from trainer_module.hub.variable_names import read_layout
from trainer_module.settings import ModelSettings


_scans: dict[str, ProgramScan] = {}
"""By the digest of the content that was scanned."""


class HubModel:
    """What a Hub SavedModel holds, read without running it.

    Everything comes from a private copy that is made at once: what is scanned, digested, read and loaded later is the
    same content, whatever becomes of the original.

    Args:
        handle: `https://tfhub.dev/…`, or the folder of a SavedModel (local, `gs://`).
        expected_digest: Refuse another content than this `sha256:…`.
        allow_unsafe_ops: Accept a program that reaches beyond the model; see `scan_program`.
        hosts: Where a remote model may come from; see `resolve_handle`.

    Attributes:
        handle: As given.
        path: Where the SavedModel lies; for a remote handle, TF-Hub's cache.
        digest: `sha256:…` of its content.
        interface: Where in the SavedModel the encoder is, and how it is called.
        layout: Its variables and architecture.

    Raises:
        UserError: The handle can't be resolved, isn't a SavedModel or a BERT encoder, differs from the digest, or is
            unsafe to load.

    Example:
        >>> model = HubModel("hub_models/bert_L-4_H-32")    # doctest: +SKIP
        >>> model.layout.blocks, model.lower_case           # doctest: +SKIP
        (4, True)
    """

    def __init__(
        self,
        handle: str,
        expected_digest: str | None = None,
        *,
        allow_unsafe_ops: bool = False,
        hosts: Sequence[str] = DEFAULT_HOSTS,
    ) -> None:
        self.handle = handle
        self.path = resolve_handle(handle, hosts)
        copied, self.digest = private_copy(self.path)
        self._reader = SavedModelReader(self.path, copied)
        if expected_digest is not None and self.digest != expected_digest:
            raise UserError(
                f"model.hub_digest: {handle} has changed: it is {self.digest}, not {expected_digest}; "
                "fetch the model you meant, or put the new digest in the config"
            )
        if not allow_unsafe_ops:
            self.scan.refuse_unsafe("model.hub", handle)
        self.interface = self._find_encoder()
        # `do_lower_case` is a variable too, and a Hub layer lists it among its weights.
        self._saved = _weights(self._reader, self.interface)
        self.layout: EncoderLayout = read_layout(
            [(variable.name, variable.shape) for variable in self._saved],
            handle,
            hidden=self.interface.hidden,
            layers=self.interface.layers,
        )

    @classmethod
    def from_settings(cls, settings: ModelSettings) -> "HubModel":
        """The model that a configuration names, under the conditions that it sets."""
        return cls(
            settings.hub,
            settings.hub_digest,
            allow_unsafe_ops=settings.allow_unsafe_ops,
            hosts=settings.hub_hosts,
        )

    @cached_property
    def scan(self) -> ProgramScan:
        """What the program is made of; the constructor refuses unsafe operations unless they are allowed."""
        # Half the time of opening a model, and a run opens it a dozen times.
        if self.digest not in _scans:
            _scans[self.digest] = scan_program(self._reader.meta_graph)
        return _scans[self.digest]

    @cached_property
    def weights(self) -> Mapping[str, np.ndarray]:
        """The value of each variable in the layout, by name; read from the checkpoint whenever it is asked for."""
        return _StoredWeights(self._reader, self._saved)

    def not_finite(self) -> list[str]:
        """The names of the variables with a weight that is NaN or infinite; reads all of them."""
        return [name for name, value in self.weights.items() if not all_finite(value)]

    @property
    def vocab_path(self) -> str | None:
        """The word-piece vocabulary file (its private copy), one piece a line, where the model brings one."""
        return next(filter(None, (self._reader.asset_of(node, "vocab_file") for node in self._nodes)), None)

    def original(self, file: str) -> str:
        """The place in the model's own folder of a privately copied file, for messages."""
        return file.replace(self._reader.folder, self.path)

    @property
    def lower_case(self) -> bool | None:
        """Whether the vocabulary is uncased; None when the model doesn't say."""
        flags = (self._reader.variable_of(node, "do_lower_case") for node in self._nodes)
        return next((bool(flag.any()) for flag in flags if flag is not None), None)

    def load(self) -> Any:
        """Loads the SavedModel and gives its encoder, a callable: this runs its program.

        Raises:
            UserError: It is damaged.
        """
        try:
            loaded = tf.saved_model.load(self._reader.folder)
        except (OSError, IndexError, tf.errors.OpError) as error:  # an IndexError where values are cut off
            raise self._reader.refusal(error) from None
        return reduce(getattr, self.interface.path, loaded)

    @property
    def _nodes(self) -> list[int]:
        """Where a vocabulary may hang: on the encoder, on the model around it, or on what the encoder wraps."""
        return [self.interface.node, 0, *self._reader.below(self.interface.node)]

    def _find_encoder(self) -> HubInterface:
        encoders = self._reader.encoders()
        if not encoders:
            variables = self._reader.variables()
            shown = ", ".join(variable.name for variable in variables[:4]) or "none"
            raise UserError(
                f"model.hub: {self.handle} is a SavedModel but not a BERT encoder: nothing in it takes "
                f"{', '.join(ENCODER_INPUTS)} and gives a sequence output (the first of its {len(variables)} "
                f"variables are: {shown}); give a TF2 encoder, or a model that holds one as a layer"
            )
        chosen = encoders[0]
        names = {variable.checkpoint_key for variable in _weights(self._reader, chosen)}
        for other in encoders[1:]:
            if not {variable.checkpoint_key for variable in _weights(self._reader, other)} <= names:
                raise UserError(
                    f"model.hub: {self.handle} holds several encoders ({_dotted(chosen)}, {_dotted(other)}); "
                    "save the one you mean as a SavedModel of its own"
                )
        return chosen


class _StoredWeights(Mapping[str, np.ndarray]):
    """Holds none of them: together they are as large as the model, once more."""

    def __init__(self, reader: SavedModelReader, variables: Sequence[SavedVariable]) -> None:
        self._reader = reader
        self._by_name = {variable.name: variable for variable in variables}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._reader.value(self._by_name[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


def _weights(reader: SavedModelReader, encoder: HubInterface) -> list[SavedVariable]:
    return [variable for variable in reader.variables(encoder.node) if variable.dtype.is_floating]


def _dotted(encoder: HubInterface) -> str:
    return ".".join(encoder.path) or "the model itself"
