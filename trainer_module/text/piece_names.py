"""The names of a tokenizer's word pieces, and what tells one tokenizer from another."""

import hashlib
from collections.abc import Sequence

import tensorflow as tf

from trainer_module.text.tokenizer_source import PreprocessingModel
from trainer_module.text.vocabulary import Vocabulary


class PieceNames:
    """Word pieces by their ids.

    Args:
        pieces: In the order of their ids; none where nobody knows them.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self._pieces = list(pieces)
        self._ids = {piece: number for number, piece in enumerate(self._pieces)}

    def name_of(self, piece_id: int) -> str:
        """The piece; `#7` where nobody knows how 7 is written.

        Example:
            >>> PieceNames(["[UNK]", "film"]).name_of(1), PieceNames([]).name_of(1)
            ('film', '#1')
        """
        return self._pieces[piece_id] if piece_id < len(self._pieces) else f"#{piece_id}"

    def id_of(self, piece: str) -> int | None:
        """The id; None where there is no such piece."""
        return self._ids.get(piece)


def read_piece_names(source: Vocabulary | PreprocessingModel) -> PieceNames:
    """The names of a tokenizer's pieces: its vocabulary, or the only asset of a preprocessing model."""
    file = _vocabulary_file(source)
    if file is None:
        return PieceNames([])
    with tf.io.gfile.GFile(file, "rb") as stream:
        return PieceNames([line.rstrip(b"\r\n").decode("utf-8", "replace") for line in stream])


def tokenizer_digest(source: Vocabulary | PreprocessingModel) -> str:
    """The same for tokenizers that split alike, wherever their files are."""
    digest = hashlib.sha256()
    if isinstance(source, Vocabulary):
        digest.update(b"lower case" if source.lower_case else b"as written")
    file = _vocabulary_file(source) or f"{source.path}/saved_model.pb"
    with tf.io.gfile.GFile(file, "rb") as stream:
        digest.update(stream.read())
    return f"sha256:{digest.hexdigest()}"


def _vocabulary_file(source: Vocabulary | PreprocessingModel) -> str | None:
    if isinstance(source, Vocabulary):
        return source.path
    assets: list[str] = tf.io.gfile.glob(f"{source.path}/assets/*")
    return assets[0] if len(assets) == 1 else None
