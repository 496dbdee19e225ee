"""Rows as token ids, for the two systems that run on TensorFlow."""

import numpy as np

from benchmarks.training.sst2 import Split
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.text.tokenizer import WordPieceTokenizer, pack
from trainer_module.text.vocabulary import read_vocabulary
from trainer_module.training.rows import Rows


def tokenize(split: Split, settings: BertSettings, hub_model: HubModel) -> Rows:
    """The split by the trainer's own tokenizer, with the encoder's vocabulary."""
    tokenizer = WordPieceTokenizer(read_vocabulary(settings, hub_model))
    words, _ = pack(
        [tokenizer.tokenize(np.array(split.texts, object))],
        start=tokenizer.start,
        separator=tokenizer.separator,
        max_tokens=settings.max_tokens,
    )
    return Rows(words.values.numpy(), None, words.row_splits.numpy().astype(np.int64), np.array(split.labels, np.int64))


def first(rows: Rows, count: int) -> Rows:
    """The first rows."""
    return Rows(rows.word_ids[: rows.offsets[count]], None, rows.offsets[: count + 1], rows.labels[:count])
