"""Reads one TFRecord file of serialized tf.Examples."""

import struct
from collections.abc import Iterator
from itertools import count
from typing import BinaryIO

import google_crc32c
import tensorflow as tf
from google.protobuf.message import DecodeError

from components.example_gen.input_file import ends_too_early, open_input
from components.example_gen.row_format import too_many_columns
from trainer_module.errors import UserError
from trainer_module.validation import parse_message

LONGEST_RECORD = 1 << 28

# A record is its length, the length's checksum, the content and the content's checksum, all little-endian.
_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")


def read_examples(path: str) -> Iterator[tf.train.Example]:
    """Yields the examples of a file in order; what the name ends in says how it is compressed.

    TensorFlow's own reader takes a truncated compressed file for a complete one, and allocates whatever length a record
    claims to have.

    Raises:
        UserError: The file can't be read, is damaged, ends too early or has too many features, or a record isn't a
            tf.Example.
    """
    names: set[str] = set()
    with open_input(path) as file:
        for number, record in enumerate(_records(path, file), start=1):
            example = tf.train.Example()
            try:
                parse_message(example, record)
            except (DecodeError, ValueError):
                raise UserError(
                    f"{path}, record {number}: is not a tf.Example; nothing else can be read from TFRecords"
                ) from None
            names.update(example.features.feature)
            if problem := too_many_columns(len(names)):
                raise UserError(f"{path}, up to record {number}: {problem}")
            yield example


def _records(path: str, file: BinaryIO) -> Iterator[bytes]:
    for number in count(1):
        where = f"{path}, record {number}"
        header = file.read(_HEADER.size)
        if not header:
            return
        if len(header) < _HEADER.size and number > 1:
            raise ends_too_early(where)
        if len(header) < _HEADER.size or _masked_crc(header[:8]) != _HEADER.unpack(header)[1]:
            raise _damaged(where)
        length, _ = _HEADER.unpack(header)
        if length > LONGEST_RECORD:
            raise UserError(f"{where}: has {length:,} bytes; at most {LONGEST_RECORD:,} can be read")
        content = file.read(length)
        checksum = file.read(_CHECKSUM.size)
        if len(content) < length or len(checksum) < _CHECKSUM.size:
            raise ends_too_early(where)
        if _masked_crc(content) != _CHECKSUM.unpack(checksum)[0]:
            raise _damaged(where)
        yield content


def _masked_crc(content: bytes) -> int:
    """The checksum that TFRecord files have: a CRC-32C, rotated, plus a constant."""
    crc = google_crc32c.value(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _damaged(where: str) -> UserError:
    return UserError(f'{where}: is damaged, or this is no TFRecord file; for delimited text set data.format = "csv"')
