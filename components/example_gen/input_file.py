"""Opens a file of rows: a regular file, decompressed by its ending, and read to its real end."""

import bz2
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import zstandard
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from trainer_module.errors import UserError

# So little, because a hostile file unpacks to tens of thousands of times its size.
_CHUNK = 512
_LARGEST_WINDOW = 1 << 31  # zstd's --long=31, which Beam allows too.

_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_PACKED = {
    b"\x1f\x8b\x08": "is compressed with gzip, though its name doesn't end in .gz; rename it",
    b"BZh91AY&SY": "is compressed with bzip2, though its name doesn't end in .bz2; rename it",
    b"\xfd7zXZ\0": "is compressed with xz, though its name doesn't end in .xz; rename it",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd, though its name doesn't end in .zst; rename it",
    b"PK\x03\x04": "is a zip archive; unpack it",
}


@contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """Opens a file for reading, local or remote.

    Beam's own decompression takes the end of the file for the end of the data, so that a truncated file looks complete.

    Raises:
        UserError: Also while it is read: the file isn't a regular one, can't be read, is damaged, ends too early, or is
            compressed and its name doesn't say so.
    """
    if problem := kind_problem(path):
        raise UserError(f"{path}: {problem}")
    kind = CompressionTypes.detect_compression_type(path)
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as stored:
            file: io.BufferedReader = io.BufferedReader(_RawFile(stored))
            if kind in _DECOMPRESSED:
                yield _DECOMPRESSED[kind](file)
                return
            start = file.peek(max(map(len, _PACKED)))
            if packed := next((what for mark, what in _PACKED.items() if start.startswith(mark)), None):
                raise UserError(f"{path}: {packed}")
            yield cast(BinaryIO, file)
    except EOFError:
        raise ends_too_early(path) from None
    except (OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def kind_problem(path: str) -> str | None:
    """Says what a path is if it is neither a regular file nor a folder; reading such a thing may never end."""
    try:
        mode = os.stat(path).st_mode
    except OSError:  # A URL, or nothing is there: whoever opens it says so.
        return None
    kind = _KINDS.get(stat.S_IFMT(mode))
    return f"is {kind}; only regular files can be read" if kind else None


def ends_too_early(where: str, what: str = "") -> UserError:
    """The error for a truncated file.

    Args:
        where: The file, and the place in it if known.
        what: What is cut off.
    """
    return UserError(
        f"{where}: ends too early{what and f', {what}'}; bring the complete file: a copy or an upload was interrupted, "
        "or it is still being written"
    )


class _RawFile(io.RawIOBase):
    """A file of Beam's as Python's io layers want it; not all of Beam's filesystems return complete file objects."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class _Decompressed(io.RawIOBase):
    """Decompresses a format that Python has no file object for.

    Args:
        file: The compressed data: one stream, or several in a row.
        start: Makes a decompressor, which decompresses one stream.
    """

    def __init__(self, file: io.BufferedReader, start: Callable[[], Any]) -> None:
        self._file = file
        self._start = start
        self._decompressor = start()
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = self._decompressor.unused_data or self._file.read(_CHUNK)
            if not self._decompressor.eof and not chunk:
                raise EOFError
            if not chunk:
                return 0
            if self._decompressor.eof:
                self._decompressor = self._start()
            self._ready = memoryview(self._decompressor.decompress(chunk))
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def _zstd() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj()


# Python's own file objects raise EOFError where a stream has no end, and check what it says of length and checksum.
_DECOMPRESSED: dict[str, Callable[[io.BufferedReader], Any]] = {
    CompressionTypes.GZIP: lambda file: gzip.GzipFile(fileobj=file),
    CompressionTypes.BZIP2: bz2.BZ2File,
    CompressionTypes.LZMA: lzma.LZMAFile,
    CompressionTypes.DEFLATE: lambda file: io.BufferedReader(_Decompressed(file, zlib.decompressobj)),
    CompressionTypes.ZSTD: lambda file: io.BufferedReader(_Decompressed(file, _zstd)),
}
