"""Reads one TFRecord file of serialized tf.Examples."""

from collections.abc import Iterator

import tensorflow as tf
from google.protobuf.message import DecodeError

from trainer_module.errors import UserError


def read_examples(path: str) -> Iterator[tf.train.Example]:
    """Yields the examples of a file in order; a name that ends in `.gz` is decompressed.

    Raises:
        UserError: The file can't be read, or a record isn't a tf.Example.
    """
    records = tf.data.TFRecordDataset(path, compression_type="GZIP" if path.endswith(".gz") else "")
    number = 1
    try:
        for record in records.as_numpy_iterator():
            yield tf.train.Example.FromString(record)
            number += 1
    except DecodeError:
        raise UserError(
            f"{path}, record {number}: is not a tf.Example; nothing else can be read from TFRecords"
        ) from None
    except tf.errors.DataLossError:
        raise UserError(
            f"{path}, record {number}: is damaged, or this is no TFRecord file; "
            'for delimited text set data.format = "csv"'
        ) from None
    except tf.errors.OpError as error:
        raise UserError(f"{path}: cannot be read: {error.message}") from None
