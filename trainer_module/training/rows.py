"""The tokenized rows of one split, as NumPy arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from trainer_module.features import LABEL, MASK, TYPE_IDS, WORD_IDS

if TYPE_CHECKING:
    import tensorflow_transform as tft

Batch = tuple[dict[str, np.ndarray], np.ndarray]

_READ_BATCH = 1024


@dataclass(frozen=True)
class Rows:
    """Examples without padding.

    Attributes:
        word_ids: All rows' token ids end to end, int32.
        type_ids: Their segment ids, int8, or None when there is one segment.
        offsets: `[rows + 1]` int64; row `i` is `word_ids[offsets[i]:offsets[i + 1]]`.
        labels: `[rows]` int64 (classes) or float32 (regression).
    """

    word_ids: np.ndarray
    type_ids: np.ndarray | None
    offsets: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per row, `[rows]`."""
        return np.diff(self.offsets)

    def batch(self, indices: np.ndarray) -> Batch:
        """The rows at `indices`, padded to the longest of them.

        Returns:
            A Hub encoder's three inputs, each `[batch, seq]` int32, and the labels `[batch]`.
        """
        lengths = self.lengths[indices]
        places = np.arange(lengths.max(initial=0))
        inside = places < lengths[:, None]
        source = (self.offsets[indices][:, None] + places)[inside]
        word_ids = np.zeros(inside.shape, np.int32)
        type_ids = np.zeros(inside.shape, np.int32)
        word_ids[inside] = self.word_ids[source]
        if self.type_ids is not None:
            type_ids[inside] = self.type_ids[source]
        return {WORD_IDS: word_ids, MASK: inside.astype(np.int32), TYPE_IDS: type_ids}, self.labels[indices]


def read_rows(file_patterns: Sequence[str], transform_output: "tft.TFTransformOutput") -> Rows:
    """Reads transformed examples (gzipped TFRecords of tf.Examples, as Transform writes them).

    The order is that of the files' names and of the records in them, so that a seed fixes the batches.
    """
    return join_rows(_parse(file_patterns, transform_output.transformed_feature_spec()))


def join_rows(batches: Iterable[Mapping[str, "tf.Tensor | tf.SparseTensor"]]) -> Rows:
    """The rows of batches of transformed features."""
    words, types, lengths, labels = [], [], [], []
    for parsed in batches:
        sparse = parsed[WORD_IDS]
        words.append(sparse.values.numpy().astype(np.int32))
        lengths.append(np.bincount(sparse.indices[:, 0].numpy(), minlength=int(sparse.dense_shape[0])))
        if TYPE_IDS in parsed:
            types.append(parsed[TYPE_IDS].values.numpy().astype(np.int8))
        labels.append(parsed[LABEL].numpy())
    if not labels:
        return Rows(np.zeros(0, np.int32), None, np.zeros(1, np.int64), np.zeros(0, np.int64))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return Rows(
        np.concatenate(words), np.concatenate(types) if types else None, offsets, np.concatenate(labels).reshape(-1)
    )


def _parse(file_patterns: Sequence[str], spec: dict[str, object]) -> Iterator[dict[str, tf.Tensor]]:
    files = sorted(file for pattern in file_patterns for file in tf.io.gfile.glob(pattern))
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_READ_BATCH)
    yield from records.map(lambda batch: tf.io.parse_example(batch, spec))
