"""The file format: a segment holds the activations of some examples, never changes, and is checked before use.

    header | keys, 16 bytes a row | lengths, int32 | zeros up to a multiple of 64 | values

The header holds the sizes, the kind of the values and three checksums (CRC-32): its own, the index's (keys and lengths)
and the values'. All numbers are little-endian.
"""

import contextlib
import mmap
import os
import re
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from trainer_module.prefix_cache.new_file import new_file
from trainer_module.prefix_cache.segment_header import (
    KEY_BYTES,
    LENGTH,
    MAGIC,
    DamagedSegment,
    Header,
    read_header,
)

_READ_BYTES = 2**20
_NAME = re.compile(r"[0-9a-f]{32}\.segment")


@dataclass(frozen=True)
class Segment:
    """A segment whose index is known to be sound; its values aren't read yet.

    Attributes:
        path: Its file.
        header: What the file's header said.
        keys: `[rows, 16]` uint8.
        lengths: `[rows]` int32, tokens of each row; the rows' values follow each other in this order.
    """

    path: str
    header: Header
    keys: np.ndarray
    lengths: np.ndarray


def is_segment_name(name: str) -> bool:
    """Whether a file is named as segments are."""
    return _NAME.fullmatch(name) is not None


def has_segment_magic(path: str) -> bool:
    """Whether a file starts like a segment, sound or not.

    Raises:
        OSError: It can't be read.
    """
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def write_segment(
    directory: str, keys: np.ndarray, lengths: np.ndarray, pieces: Sequence[np.ndarray]
) -> tuple[Segment, np.ndarray]:
    """Writes a segment that appears complete or not at all.

    Args:
        directory: Where to.
        keys: `[rows, 16]` uint8.
        lengths: `[rows]`, tokens of each row.
        pieces: The values, `[tokens, width]` of one dtype of `VALUE_DTYPES`, C-contiguous, in the rows' order.

    Returns:
        The segment, and its values as `map_values` gives them; they stay readable even if another process removes the
        file at once.

    Raises:
        OSError: It can't be written, most likely because the disk is full; nothing is left of it.
    """
    lengths = lengths.astype(LENGTH)
    index = keys.tobytes() + lengths.tobytes()
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece.data, checksum)
    header = Header(pieces[0].shape[1], pieces[0].dtype, len(keys), int(lengths.sum()), zlib.crc32(index), checksum)
    path = os.path.join(directory, f"{uuid.uuid4().hex}.segment")
    with new_file(path) as file:
        file.write((header.pack() + index).ljust(header.values_offset, b"\0"))
        for piece in pieces:
            file.write(piece.data)
        file.flush()
        values = _map(file, header)
    return Segment(path, header, keys, lengths), values


def read_segment(path: str, width: int, dtype: np.dtype) -> Segment:
    """Reads a segment's index, and checks all but its values.

    Args:
        path: Of the file.
        width: Expected numbers per token.
        dtype: Expected dtype of the values.

    Raises:
        DamagedSegment: It isn't a whole segment with such values.
        OSError: It can't be read; FileNotFoundError: it was removed.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe would never end
        raise DamagedSegment("it isn't a regular file")
    with open(path, "rb") as file:
        header = read_header(file)
        if (header.width, header.dtype) != (width, dtype):
            raise DamagedSegment(
                f"it holds {header.dtype} values of width {header.width}, this run needs {dtype} of width {width}"
            )
        index = file.read(header.index_bytes)
    if zlib.crc32(index) != header.index_checksum:
        raise DamagedSegment("the checksum of its index is wrong")
    split = header.rows * KEY_BYTES
    keys = np.frombuffer(index, np.uint8, split).reshape(-1, KEY_BYTES)
    lengths = np.frombuffer(index, LENGTH, offset=split)
    if int(lengths.sum()) != header.tokens or (lengths < 0).any():
        raise DamagedSegment("the lengths of its rows don't fit its size")
    return Segment(path, header, keys, lengths)


def map_values(path: str, header: Header) -> np.ndarray:
    """Checks a segment's values and maps them into memory; marks the segment as used now.

    Returns:
        `[tokens, width]`, read-only. Stays readable when the file is removed.

    Raises:
        DamagedSegment: The values aren't those that were written.
        OSError: It can't be read; FileNotFoundError: it was removed.
    """
    with open(path, "rb") as file:
        if read_header(file) != header:
            raise DamagedSegment("its header has changed")
        file.seek(header.values_offset)
        checksum = 0
        # Read, not mapped: pages of a mapping would count as memory of this process.
        for part in _parts(file):
            checksum = zlib.crc32(part, checksum)
        if checksum != header.values_checksum:
            raise DamagedSegment("the checksum of its values is wrong")
        with contextlib.suppress(OSError):  # in a folder that may only be read
            os.utime(file.fileno())
        return _map(file, header)


def _parts(file: IO[bytes]) -> Iterator[memoryview]:
    """A file's bytes from here on; each part is valid until the next."""
    buffer = memoryview(bytearray(_READ_BYTES))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        yield buffer[:count]


def _map(file: IO[bytes], header: Header) -> np.ndarray:
    mapped = mmap.mmap(file.fileno(), header.file_bytes, access=mmap.ACCESS_READ)
    values = np.frombuffer(mapped, header.dtype, header.tokens * header.width, header.values_offset)
    return values.reshape(header.tokens, header.width)
