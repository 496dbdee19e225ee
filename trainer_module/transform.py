"""`preprocessing_fn`: raw columns to token ids and a label, as a TensorFlow graph that serving reuses."""

from typing import Any, TypeAlias

import tensorflow as tf
import tensorflow_transform as tft

from trainer_module.errors import UserError
from trainer_module.features import LABEL, LABEL_VOCABULARY, TYPE_IDS, WORD_IDS
from trainer_module.settings import BertSettings
from trainer_module.text.text_encoder import text_encoder
from trainer_module.text.tokenizer_source import find_tokenizer

Column: TypeAlias = tf.Tensor | tf.SparseTensor | tf.RaggedTensor


def preprocessing_fn(inputs: dict[str, Column], custom_config: dict[str, Any]) -> dict[str, Column]:
    """TFX Transform's entry point (https://www.tensorflow.org/tfx/guide/transform).

    Args:
        inputs: The raw columns; text and label may be dense `[batch, 1]` or sparse.
        custom_config: Holds the settings under `bert`.

    Returns:
        `input_word_ids` and, for pairs, `input_type_ids`: sparse `[batch, (tokens)]` int64, unpadded.
        The label: `[batch]` int64, an index into the `labels` vocabulary (-1: not in it), or float32 for regression.

    Raises:
        UserError: The settings, the model or its vocabulary are wrong, or a column is missing.
    """
    settings = BertSettings.from_custom_config(custom_config)
    missing = [column for column in (*settings.text, settings.label) if column not in inputs]
    if missing:
        raise UserError(f"data: no column {', '.join(map(repr, missing))}; there are: {', '.join(sorted(inputs))}")
    source = find_tokenizer(settings)
    # Tracked by Transform, or its tables would be read anew for every batch.
    encode = tft.make_and_track_object(
        lambda: text_encoder(source, len(settings.text), settings.max_tokens), name="text_encoder"
    )
    word_ids, type_ids = encode(*(_text(inputs[column]) for column in settings.text))
    outputs: dict[str, Column] = {WORD_IDS: tf.cast(word_ids, tf.int64).to_sparse()}
    if len(settings.text) == 2:
        outputs[TYPE_IDS] = tf.cast(type_ids, tf.int64).to_sparse()
    outputs[LABEL] = _label(inputs[settings.label], settings)
    return outputs


def _text(column: Column) -> tf.Tensor:
    """Each example's first value as a string; empty where it has none, also among numbers."""
    if column.dtype == tf.string:
        return _first(column)
    if isinstance(column, tf.RaggedTensor):
        column = column.to_sparse()
    if isinstance(column, tf.SparseTensor):
        return _first(column.with_values(tf.strings.as_string(column.values)))
    return tf.strings.as_string(_first(column))


def _label(column: Column, settings: BertSettings) -> tf.Tensor:
    if settings.task == "regression":
        values = _first(column)
        return tf.strings.to_number(values) if values.dtype == tf.string else tf.cast(values, tf.float32)
    if column.dtype.is_floating:
        raise UserError(
            f"data.label: {settings.label!r} holds fractional numbers; "
            'set model.task = "regression", or write classes as integers or names'
        )
    return tft.compute_and_apply_vocabulary(
        _text(column), default_value=-1, num_oov_buckets=0, vocab_filename=LABEL_VOCABULARY
    )


def _first(column: Column) -> tf.Tensor:
    """Each example's first value, `[batch]`; empty (or 0) where it has none."""
    if isinstance(column, tf.RaggedTensor):
        column = column.to_sparse()
    if isinstance(column, tf.SparseTensor):
        shape = tf.stack([column.dense_shape[0], tf.maximum(column.dense_shape[1], 1)])
        column = tf.sparse.to_dense(tf.SparseTensor(column.indices, column.values, shape))
    return column if column.shape.rank == 1 else column[:, 0]
