"""The first bytes of a segment: what it holds and how much of it."""

import os
import struct
import zlib
from typing import IO, NamedTuple

import numpy as np

KEY_BYTES = 16
LENGTH = np.dtype("<i4")
VALUE_DTYPES = (np.dtype("<f4"), np.dtype("<u2"))
"""float32; bfloat16 and float16 as their bit patterns."""

MAGIC = b"PFROSTPX"
_VERSION = 1
_FIELDS = struct.Struct("<8sI2sxxIQQII")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CHECKSUM.size
_ALIGNMENT = 64


class DamagedSegment(Exception):
    """A file that is not a whole segment of the expected kind; its text says why."""


class Header(NamedTuple):
    """What a segment holds.

    Attributes:
        width: Numbers per token.
        dtype: Of the values.
        rows: Examples.
        tokens: Sum of the examples' lengths.
        index_checksum: CRC-32 of keys and lengths.
        values_checksum: CRC-32 of the values.
    """

    width: int
    dtype: np.dtype
    rows: int
    tokens: int
    index_checksum: int
    values_checksum: int

    @property
    def index_bytes(self) -> int:
        return self.rows * (KEY_BYTES + LENGTH.itemsize)

    @property
    def values_offset(self) -> int:
        end = HEADER_BYTES + self.index_bytes
        return end + -end % _ALIGNMENT

    @property
    def file_bytes(self) -> int:
        return self.values_offset + self.tokens * self.width * self.dtype.itemsize

    def pack(self) -> bytes:
        fields = _FIELDS.pack(
            MAGIC,
            _VERSION,
            self.dtype.str[1:].encode(),
            self.width,
            self.rows,
            self.tokens,
            self.index_checksum,
            self.values_checksum,
        )
        return fields + _CHECKSUM.pack(zlib.crc32(fields))


def read_header(file: IO[bytes]) -> Header:
    """Reads and checks a header, and whether the file has the size that it says.

    Args:
        file: At its beginning; left at the end of the header.

    Raises:
        DamagedSegment: It isn't a segment, or not a whole one.
        OSError: It can't be read.
    """
    content = file.read(HEADER_BYTES)
    if content[: len(MAGIC)] != MAGIC:
        raise DamagedSegment("it is not a segment of a prefix cache")
    fields, checksum = content[: _FIELDS.size], content[_FIELDS.size :]
    if len(content) < HEADER_BYTES or _CHECKSUM.unpack(checksum) != (zlib.crc32(fields),):
        raise DamagedSegment("the checksum of its header is wrong")
    _, version, dtype, *numbers = _FIELDS.unpack(fields)
    if version != _VERSION:
        raise DamagedSegment(f"its version is {version}, this release reads version {_VERSION}")
    kinds = {known.str[1:].encode(): known for known in VALUE_DTYPES}
    if dtype not in kinds:
        raise DamagedSegment(f"its values are of an unknown kind, {dtype!r}")
    header = Header(numbers[0], kinds[dtype], *numbers[1:])
    size = os.fstat(file.fileno()).st_size
    if size != header.file_bytes:
        raise DamagedSegment(f"it has {size:,} bytes and should have {header.file_bytes:,}")
    return header
