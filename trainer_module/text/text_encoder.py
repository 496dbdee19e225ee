"""Texts to token ids as one function, which is traced once however often it is used."""

from functools import lru_cache

import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.hub.program_run import try_program
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
    """The tokenizer that a vocabulary is made for, or that of a preprocessing model.

    Raises:
        UserError: The preprocessing model can't be loaded.
    """
    if isinstance(source, Vocabulary):
        return WordPieceTokenizer(source)
    return try_program(
        lambda: HubTokenizer(tf.saved_model.load(source.path)),
        key="model.preprocess",
        handle=source.handle,
        doing="loaded",
    )


def try_preprocessing_model(source: PreprocessingModel, words: int) -> None:
    """Loads a preprocessing model and tokenizes with it; this runs its program.

    Args:
        source: The model.
        words: Number of the encoder's word embeddings; 0: unknown.

    Raises:
        UserError: It is damaged, or its tokens aren't the encoder's.
    """
    tokenizer = make_tokenizer(source)
    texts = tf.constant(["", "A text to try it out, with digits (12) and an accent: é."])
    tokens = try_program(
        lambda: tokenizer.tokenize(texts).flat_values.numpy(),
        key="model.preprocess",
        handle=source.handle,
        doing="called",
    )
    ids = [tokenizer.start, tokenizer.separator, *tokens.tolist()]
    if min(ids) < 0 or (words and max(ids) >= words):
        raise UserError(
            f"model.preprocess: {source.handle} gives token ids from {min(ids)} to {max(ids)}, but the encoder has "
            f"{words} word embeddings; name the preprocessing model that belongs to the encoder"
        )
