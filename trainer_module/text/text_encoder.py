"""Texts to token ids as one function, which is traced once however often it is used."""

from functools import lru_cache

import tensorflow as tf

from trainer_module.text.tokenizer import HubTokenizer, Tokenizer, WordPieceTokenizer, pack
from trainer_module.text.tokenizer_source import PreprocessingModel
from trainer_module.text.vocabulary import Vocabulary


class TextEncoder(tf.Module):
    """Tokenizes and packs.

    Args:
        tokenizer: A `tf.Module`, so that its tables travel with the graph.
        segments: Number of text columns: one or two.
        max_tokens: Longest result; see `tokenizer.pack`.
    """

    def __init__(self, tokenizer: Tokenizer, segments: int, max_tokens: int) -> None:
        super().__init__()
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        texts = [tf.TensorSpec([None], tf.string)] * segments
        # A closure, not an attribute: its graph is part of each graph that calls it, and is not to be saved twice.
        function = tf.function(self._encode, autograph=False).get_concrete_function(*texts)
        self._call = lambda *texts: function(*texts)

    def __call__(self, *texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """`input_word_ids` and `input_type_ids`, both `[batch, (tokens)]` int32, of each column's `[batch]` strings."""
        return self._call(*texts)

    def _encode(self, *texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        return pack(
            [self._tokenizer.tokenize(text) for text in texts],
            start=self._tokenizer.start,
            separator=self._tokenizer.separator,
            max_tokens=self._max_tokens,
        )


def text_encoder(source: Vocabulary | PreprocessingModel, segments: int, max_tokens: int) -> TextEncoder:
    """The encoder for a tokenizer; the same object as long as it is asked for the same.

    Transform traces `preprocessing_fn` some ten times in one run, and building these ops takes most of it.
    """
    file = tf.io.gfile.stat(source.path if isinstance(source, Vocabulary) else f"{source.path}/saved_model.pb")
    return _text_encoder(source, segments, max_tokens, (file.length, file.mtime_nsec))


@lru_cache(maxsize=1)
def _text_encoder(
    source: Vocabulary | PreprocessingModel, segments: int, max_tokens: int, state: tuple[int, int]
) -> TextEncoder:
    """`state` tells a file that was replaced from the one that was read."""
    return TextEncoder(make_tokenizer(source), segments, max_tokens)


def make_tokenizer(source: Vocabulary | PreprocessingModel) -> Tokenizer:
    """The tokenizer that a vocabulary is made for, or that of a preprocessing model."""
    if isinstance(source, Vocabulary):
        return WordPieceTokenizer(source)
    return HubTokenizer(tf.saved_model.load(source.path))
