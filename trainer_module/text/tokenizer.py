"""Text to the token ids that a BERT reads, inside a TensorFlow graph."""

from typing import Protocol

import tensorflow as tf
import tensorflow_text as tf_text

from trainer_module.text.vocabulary import UNKNOWN, Vocabulary


class Tokenizer(Protocol):
    """Splits texts into word pieces."""

    start: int
    separator: int

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """`[batch]` string → `[batch, (pieces)]` int32."""


class WordPieceTokenizer(tf.Module):
    """The original BERT tokenizer over a vocabulary file.

    `tf_text.FastBertTokenizer` is ten times faster but splits some punctuation of Unicode 14 and the line and
    paragraph separators otherwise than `BertTokenizer`, with which encoders are trained.

    Args:
        vocabulary: Whose file becomes an asset of the graph.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.start = vocabulary.start
        self.separator = vocabulary.separator
        self._tokenizer = tf_text.BertTokenizer(
            vocabulary.path, lower_case=vocabulary.lower_case, unknown_token=UNKNOWN, token_out_type=tf.int64
        )

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """`[batch]` string → `[batch, (pieces)]` int32."""
        # Bytes that aren't UTF-8 would make the tokenizer fail the whole request.
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        return tf.cast(self._tokenizer.tokenize(texts).merge_dims(-2, -1), tf.int32)


class HubTokenizer(tf.Module):
    """The tokenizer of a Hub preprocessing SavedModel.

    Args:
        model: Loaded; has `tokenize`, as the published ones have.
    """

    def __init__(self, model: tf.Module) -> None:
        super().__init__()
        self._model = model
        special = {name: int(value) for name, value in model.tokenize.get_special_tokens_dict().items()}
        self.start = special["start_of_sequence_id"]
        self.separator = special["end_of_segment_id"]

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """`[batch]` string → `[batch, (pieces)]` int32."""
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        return tf.cast(self._model.tokenize(texts).merge_dims(-2, -1), tf.int32)


def pack(
    segments: list[tf.RaggedTensor], *, start: int, separator: int, max_tokens: int
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """`[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`, unpadded.

    A pair that is too long loses tokens from the end of its longer segment first, as BERT's own code does; the
    special tokens are never cut.

    Args:
        segments: One or two, each `[batch, (pieces)]` int32.
        start: Id of `[CLS]`.
        separator: Id of `[SEP]`.
        max_tokens: Longest result, special tokens included.

    Returns:
        `input_word_ids` and `input_type_ids`, both `[batch, (tokens)]` int32.
    """
    budget = max_tokens - 1 - len(segments)
    trimmed = tf_text.RoundRobinTrimmer(budget).trim(segments)
    return tf_text.combine_segments(trimmed, start_of_sequence_id=start, end_of_segment_id=separator)
