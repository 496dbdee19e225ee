"""Reads a split once, in batches, and counts."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from components.data_profile.profile import LENGTH_EDGES, SplitProfile
from components.example_gen.row_checks import label_of
from trainer_module.settings import BertSettings
from trainer_module.text.piece_names import PieceNames
from trainer_module.text.tokenizer import Tokenizer
from trainer_module.text.vocabulary import UNKNOWN

_BATCH = 1024
_MOST_PIECES = 5000


class SplitProfiler:
    """Profiles splits by one tokenizer; holds one batch of rows in memory, and for regression all labels.

    Args:
        settings: Which columns count, and the task.
        tokenizer: Of the model.
        names: Of its word pieces.
    """

    def __init__(self, settings: BertSettings, tokenizer: Tokenizer, names: PieceNames) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self._names = names

    def profile(self, files: Sequence[str]) -> SplitProfile:
        """Counts what gzipped TFRecord files of tf.Examples hold."""
        labels: Counter[str] = Counter()
        numbers: list[np.ndarray] = []
        lengths = np.zeros(len(LENGTH_EDGES), np.int64)
        pieces: Counter[int] = Counter()
        rows = 0
        for batch in _batches(files):
            rows += len(batch)
            of_batch = [label_of(row, self._settings.label) for row in batch]
            if self._settings.task == "regression":
                numbers.append(np.asarray(of_batch, np.float32))
            else:
                labels.update(of_batch)
            tokens = [self._tokenizer.tokenize(texts) for texts in self._texts(batch)]
            of_row = np.sum([each.row_lengths().numpy() for each in tokens], axis=0)
            lengths += np.bincount(np.searchsorted(LENGTH_EDGES, of_row, "right") - 1, minlength=len(LENGTH_EDGES))
            for each in tokens:
                ids, counts = np.unique(each.flat_values.numpy(), return_counts=True)
                pieces.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
        unknown = self._names.id_of(UNKNOWN)
        return SplitProfile(
            rows=rows,
            labels=dict(labels.most_common()),
            label_quantiles=np.quantile(np.concatenate(numbers), np.linspace(0, 1, 101)).tolist() if numbers else [],
            text_lengths=lengths.tolist(),
            tokens=sum(pieces.values()),
            unknown_tokens=None if unknown is None else pieces[unknown],
            pieces={self._names.name_of(piece): count for piece, count in pieces.most_common(_MOST_PIECES)},
        )

    def _texts(self, batch: Sequence[bytes]) -> Iterator[tf.Tensor]:
        """Each text column of a batch. ExampleGen has refused what is no text."""
        features = [tf.train.Example.FromString(row).features.feature for row in batch]
        for column in self._settings.text:
            yield tf.constant([feature[column].bytes_list.value[0] for feature in features])


def _batches(files: Sequence[str]) -> Iterator[list[bytes]]:
    for batch in tf.data.TFRecordDataset(list(files), compression_type="GZIP").batch(_BATCH):
        yield list(batch.numpy())
