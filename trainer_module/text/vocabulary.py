"""The word-piece vocabulary of an encoder."""

from dataclasses import dataclass

import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.saved_model_reader import refuse_special_file
from trainer_module.settings import BertSettings

UNKNOWN = "[UNK]"
START = "[CLS]"
SEPARATOR = "[SEP]"

LARGEST_FILE = 64 << 20
"""Bytes that are read of a vocabulary at most; the largest published ones, for a hundred languages, have a few MiB."""


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary file and what has to be known of it.

    Attributes:
        path: One piece a line; the line number is the token's id.
        lower_case: Whether text is lower-cased and stripped of accents first.
        start: Id of `[CLS]`.
        separator: Id of `[SEP]`.
    """

    path: str
    lower_case: bool
    start: int
    separator: int


def read_vocabulary(settings: BertSettings, hub_model: HubModel) -> Vocabulary:
    """The vocabulary that the settings name, else the one that the Hub encoder brings.

    Raises:
        UserError: There is none, it lacks a special token, or it is another model's.
    """
    key = "model.vocab" if settings.vocab else "model.hub"
    path = settings.vocab or hub_model.vocab_path
    if path is None:
        raise UserError(
            f"model.hub: {hub_model.handle} brings no vocabulary; name its file in `vocab`, or a Hub preprocessing "
            "SavedModel in `preprocess`"
        )
    named = settings.vocab or hub_model.original(path)
    ids = _read_pieces(path, named, key)
    missing = [token for token in (UNKNOWN, START, SEPARATOR) if token not in ids]
    if missing:
        raise UserError(f"{key}: {named} is not a BERT vocabulary: it lacks {', '.join(missing)}")
    words = hub_model.layout.words
    if words and max(ids.values()) >= words:
        raise UserError(
            f"{key}: {named} has {max(ids.values()) + 1} pieces, more than the {words} word embeddings of "
            f"{hub_model.handle}; it belongs to another model"
        )
    lower_case = settings.lower_case if settings.lower_case is not None else hub_model.lower_case
    if lower_case is None:
        raise UserError(
            f"model.lower_case: {hub_model.handle} doesn't say whether it is uncased; set it to true or false"
        )
    return Vocabulary(path, lower_case, ids[START], ids[SEPARATOR])


def _read_pieces(path: str, named: str, key: str) -> dict[str, int]:
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise UserError(f"{key}: no such vocabulary file: {named}")
    refuse_special_file(path, key)
    if (length := tf.io.gfile.stat(path).length) > LARGEST_FILE:
        raise UserError(f"{key}: {named} is not a BERT vocabulary: it has {length:,} bytes")
    ids: dict[str, int] = {}
    with tf.io.gfile.GFile(path, "rb") as stream:
        for number, line in enumerate(stream):
            try:
                piece = line.rstrip(b"\r\n").decode("utf-8")
            except UnicodeDecodeError:
                raise UserError(f"{key}: {named} is not a BERT vocabulary: line {number + 1} is not UTF-8") from None
            if (first := ids.setdefault(piece, number)) != number:
                raise UserError(
                    f"{key}: {named} is not a BERT vocabulary: line {number + 1} repeats line {first + 1} ({piece!r})"
                )
    return ids
