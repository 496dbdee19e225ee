"""Runs rows through a prefix."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from trainer_module.training.batches import input_specs
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.frozen_prefix.cached_rows import STORED_DTYPES
from trainer_module.training.frozen_prefix.prefix import Kept, Prefix
from trainer_module.training.row_source import RowSource

_TOKENS = 4096  # in a batch: enough for the full speed of matrix products, and a few MiB of activations

Put = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


class PrefixFunction:
    """A classifier's prefix as one compiled function, for batches of any length.

    Args:
        classifier: Is traced now; where `source` gives states, it is set for them (`enter_after`).
        prefix: Of it.
        source: Of the rows that it will be given: token ids, or the states after a shorter prefix.

    Attributes:
        width: Numbers per vector that come out.
        dtype: Of them: float32, bfloat16 or float16.
    """

    def __init__(self, classifier: BertClassifier, prefix: Prefix, source: RowSource) -> None:
        def run(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
            if prefix.kept is Kept.POOLED:
                return classifier.pooled(inputs)[:, tf.newaxis]
            return classifier.states_after(inputs, prefix.parts, first_only=prefix.kept is Kept.FIRST_STATE)

        self._kept = prefix.kept
        self._run = tf.function(run, autograph=False).get_concrete_function(input_specs(source))
        self.width = int(self._run.outputs[0].shape[-1])
        self.dtype: tf.DType = self._run.outputs[0].dtype

    def encode(self, source: RowSource, positions: np.ndarray, put: Put) -> None:
        """Runs each of the rows at `positions` once, those of similar length together.

        Args:
            put: Takes what comes out; see `ActivationStore.put`.
        """
        for batch in token_batches(source.lengths, positions):
            lengths = self.vectors(source.lengths[batch])
            inputs, _ = source.batch(batch)
            values = self._run({name: tf.constant(each) for name, each in inputs.items()}).numpy()
            values = values[np.arange(values.shape[1]) < lengths[:, None]]
            put(batch, lengths, values.view(STORED_DTYPES[self.dtype]))

    def vectors(self, lengths: np.ndarray) -> np.ndarray:
        """How many vectors come out for rows of these lengths."""
        return lengths if self._kept is Kept.STATES else np.ones(len(lengths), np.int64)


def token_batches(lengths: np.ndarray, positions: np.ndarray) -> Iterator[np.ndarray]:
    """Cuts rows into batches of about the same number of tokens, longest first, so that memory's peak comes at once.

    Args:
        lengths: Of all rows, `[rows]`.
        positions: The rows to cut.
    """
    order = positions[np.argsort(-lengths[positions], kind="stable")]
    first = 0
    while first < len(order):
        rows = max(1, _TOKENS // max(1, int(lengths[order[first]])))
        yield order[first : first + rows]
        first += rows
