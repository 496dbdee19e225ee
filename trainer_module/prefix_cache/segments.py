"""The store of one frozen prefix' activations on disk."""

import logging
import os
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from trainer_module.errors import UserError
from trainer_module.prefix_cache.key_table import KeyTable
from trainer_module.prefix_cache.new_file import refuse_remote, remove_leftovers
from trainer_module.prefix_cache.segment_file import Segment, map_values, read_segment, write_segment
from trainer_module.prefix_cache.segment_header import VALUE_DTYPES, DamagedSegment, Header

_log = logging.getLogger("permafrost.prefix_cache")

SEGMENT_BYTES = 64 * 2**20


class StoreFull(Exception):
    """Rows can't be stored: the disk is full, or can't be written for another reason, which the text names.

    The store forgets them and `find` won't find them, so that the caller must keep what it still needs.

    Attributes:
        keys: `[rows, 16]` uint8, of all rows that were added and are not stored, those of earlier calls included.
        lengths: `[rows]` int64, tokens of each row.
        values: `[tokens, width]`.
    """

    def __init__(self, message: str, keys: np.ndarray, lengths: np.ndarray, values: np.ndarray) -> None:
        super().__init__(message, keys, lengths, values)
        self.keys = keys
        self.lengths = lengths
        self.values = values

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Locations:
    """Where rows are stored; holds for the life of the store that gave it.

    Attributes:
        segments: `[rows]` int32.
        offsets: `[rows]` int64, tokens before the row in its segment.
        lengths: `[rows]` int32, tokens of the row.
    """

    segments: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)


class SegmentStore:
    """Examples' activations on disk, by key; shared by runs that overlap, safe under kill -9.

    Rows that are added go into new segments. A segment appears complete or not at all and never changes, so runs need
    no lock; what another run stores meanwhile isn't seen. Damaged segments are ignored with a warning, and segments
    that `permafrost cache prune` removes stay readable once `find` has found rows in them.

    Keys are `[rows, 16]` uint8 arrays and should be digests of what the rows were computed from.

    Args:
        directory: Of one prefix, on a local file system; created if absent.
        width: Numbers per token.
        dtype: Of the values: float32, or uint16 for bfloat16 or float16 as bit patterns.
        segment_bytes: Rows are buffered in memory up to this size, which becomes the size of a segment.

    Raises:
        UserError: The folder is remote or can't be created or read.
    """

    def __init__(self, directory: str, width: int, dtype: np.dtype, segment_bytes: int = SEGMENT_BYTES) -> None:
        refuse_remote(directory)
        if np.dtype(dtype) not in VALUE_DTYPES:
            raise ValueError(f"values are float32 or uint16 (the bit pattern of bfloat16 or float16), not {dtype}")
        self._directory = directory
        self._width = width
        self._dtype = np.dtype(dtype)
        self._segment_bytes = segment_bytes
        self._table = KeyTable()
        self._segments: list[tuple[str, Header]] = []
        self._values: dict[int, np.ndarray] = {}
        self._full = ""
        self._forget_buffer()
        try:
            os.makedirs(directory, exist_ok=True)
            remove_leftovers(directory)
            names = sorted(os.listdir(directory))
        except OSError as error:
            raise UserError(f"{directory}: the prefix cache can't be used: {error.strerror or error}") from None
        for name in names:
            if name.endswith(".segment"):
                self._open(os.path.join(directory, name))

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Says which rows are stored for good; rows only buffered don't count.

        What is found once can be located and gathered for the life of the store.

        Args:
            keys: `[rows, 16]` uint8.

        Returns:
            `[rows]` bool.
        """
        return self._find(keys)[0]

    def locate(self, keys: np.ndarray) -> Locations:
        """Resolves keys, once for all rows of a run.

        Args:
            keys: `[rows, 16]` uint8.

        Raises:
            KeyError: A key isn't stored; ask `find` first, and `flush` what was added.
        """
        found, entries = self._find(keys)
        if not found.all():
            raise KeyError(f"{np.count_nonzero(~found):,} of {len(found):,} keys are not in {self._directory}")
        return Locations(entries["segment"].copy(), entries["offset"].copy(), entries["length"].copy())

    def gather(self, locations: Locations, indices: np.ndarray, out: np.ndarray) -> None:
        """Reads a batch of rows.

        Args:
            locations: From `locate`.
            indices: `[batch]`, which of the located rows.
            out: `[batch, longest, width]` of the store's dtype; filled, with zeros where a row is shorter.

        Raises:
            ValueError: `out` has another shape or dtype, or is shorter than a row.
        """
        lengths = locations.lengths[indices]
        longest = int(lengths.max(initial=0))
        if out.dtype != self._dtype or out.ndim != 3 or (len(out), out.shape[2]) != (len(lengths), self._width):
            raise ValueError(
                f"out should be {self._dtype} of shape [{len(lengths)}, longest, {self._width}], "
                f"not {out.dtype} of shape {out.shape}"
            )
        if out.shape[1] < longest:
            raise ValueError(f"out has room for {out.shape[1]} tokens; the longest row has {longest}")
        places = zip(
            locations.segments[indices].tolist(), locations.offsets[indices].tolist(), lengths.tolist(), strict=True
        )
        for row, (segment, offset, length) in zip(out, places, strict=True):
            row[:length] = self._values[segment][offset : offset + length]
            row[length:] = 0

    def add(self, keys: np.ndarray, lengths: np.ndarray, values: np.ndarray) -> None:
        """Takes rows into the buffer, and flushes it when it is large enough.

        Rows whose key is stored or buffered already, or is repeated, are ignored.

        Args:
            keys: `[rows, 16]` uint8.
            lengths: `[rows]`, tokens of each row (1 for pooled vectors).
            values: `[sum(lengths), width]` of the store's dtype; copied.

        Raises:
            StoreFull: They can't be stored; it carries them, and what was still buffered. Once the store is full, it
                stays so, and each call that brings a new row raises.
            ValueError: The arguments don't fit each other or the store.
        """
        lengths = np.asarray(lengths, np.int64)
        if lengths.shape != (len(keys),) or (lengths < 0).any():
            raise ValueError(f"lengths should be {len(keys)} numbers of tokens")
        if values.dtype != self._dtype or values.shape != (lengths.sum(), self._width):
            raise ValueError(
                f"values should be {self._dtype} of shape [{lengths.sum()}, {self._width}], "
                f"not {values.dtype} of shape {values.shape}"
            )
        new = ~self.find(keys)
        for row in np.flatnonzero(new):
            key = keys[row].tobytes()
            new[row] = key not in self._buffered
            self._buffered.add(key)
        if not new.any():
            return
        self._keys.append(keys[new])
        self._lengths.append(lengths[new])
        self._pieces.append(values[np.repeat(new, lengths)])
        if self._full or sum(piece.nbytes for piece in self._pieces) >= self._segment_bytes:
            self.flush()

    def flush(self) -> None:
        """Turns what was added into a finished segment, on disk for good.

        Raises:
            StoreFull: It can't be written; carries all that was buffered.
        """
        if not self._pieces:
            return
        keys, lengths, pieces = np.concatenate(self._keys), np.concatenate(self._lengths), self._pieces
        self._forget_buffer()
        if not self._full:
            try:
                segment, values = write_segment(self._directory, keys, lengths, pieces)
            except OSError as error:
                self._full = f"{self._directory}: nothing more can be stored: {error.strerror or error}"
                _log.warning("%s; going on without storing", self._full)
            else:
                self._values[len(self._segments)] = values
                self._insert(segment)
                return
        raise StoreFull(self._full, keys, lengths, np.concatenate(pieces))

    def close(self) -> None:
        """Stores what is buffered, if it can be stored, and frees memory; nothing can be gathered any more."""
        try:
            self.flush()
        except StoreFull:
            _log.warning("%s: the last rows are not stored", self._directory)
        self._table = KeyTable()
        self._segments = []
        self._values = {}

    def __enter__(self) -> "SegmentStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _forget_buffer(self) -> None:
        self._buffered: set[bytes] = set()
        self._keys: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []
        self._pieces: list[np.ndarray] = []

    def _find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Looks keys up, until only segments are involved whose values are checked and mapped."""
        while True:
            found, entries = self._table.look_up(keys)
            new = [segment for segment in np.unique(entries["segment"]).tolist() if segment not in self._values]
            if not new:
                return found, entries
            for segment in new:
                self._map(segment)

    def _map(self, number: int) -> None:
        path, header = self._segments[number]
        try:
            self._values[number] = map_values(path, header)
        except (DamagedSegment, OSError) as error:
            _ignore(path, error)
            self._table.drop(number)

    def _open(self, path: str) -> None:
        try:
            segment = read_segment(path, self._width, self._dtype)
        except (DamagedSegment, OSError) as error:
            _ignore(path, error)
        else:
            self._insert(segment)

    def _insert(self, segment: Segment) -> None:
        self._table.insert(segment.keys, segment.lengths, len(self._segments))
        self._segments.append((segment.path, segment.header))


def _ignore(path: str, error: Exception) -> None:
    # One that was pruned is no reason to worry anybody.
    level = logging.DEBUG if isinstance(error, FileNotFoundError) else logging.WARNING
    _log.log(level, "%s is ignored: %s", path, error)
