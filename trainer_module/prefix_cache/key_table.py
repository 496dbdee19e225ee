"""Where each key's row is stored: a sorted table, looked up for many keys at once."""

import numpy as np

from trainer_module.prefix_cache.segment_header import KEY_BYTES

_ENTRY = np.dtype([("first", "<u8"), ("second", "<u8"), ("segment", "<i4"), ("length", "<i4"), ("offset", "<i8")])


class KeyTable:
    """All rows of all segments, sorted by the first half of their keys.

    A key may be there several times, once for each segment that holds it. Keys should be digests: many different ones
    that share their first half are looked up rightly, but slowly.
    """

    def __init__(self) -> None:
        self._entries = np.zeros(0, _ENTRY)
        # Contiguous, so that a binary search touches fewer cache lines.
        self._first = self._entries["first"].copy()
        self._waiting: list[np.ndarray] = []

    def insert(self, keys: np.ndarray, lengths: np.ndarray, segment: int) -> None:
        """Adds the rows of a segment.

        Args:
            keys: `[rows, 16]` uint8.
            lengths: `[rows]`, tokens of each row.
            segment: Number by which the caller knows the segment.
        """
        added = np.zeros(len(keys), _ENTRY)
        added["first"], added["second"] = _halves(keys)
        added["segment"] = segment
        added["length"] = lengths
        added["offset"] = np.cumsum(lengths, dtype=np.int64) - lengths
        self._waiting.append(added)

    def drop(self, segment: int) -> None:
        """Forgets the rows of a segment."""
        self._merge()
        self._entries = self._entries[self._entries["segment"] != segment]
        self._first = self._entries["first"].copy()

    def look_up(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Finds one entry for each key.

        Args:
            keys: `[rows, 16]` uint8.

        Returns:
            `[rows]` bool: whether the key is there; and the entries `[found rows]` of those that are, with the fields
            `segment`, `offset` (tokens before the row in its segment) and `length` (tokens).
        """
        self._merge()
        first, second = _halves(keys)
        entries = self._entries
        places = np.searchsorted(self._first, first)
        found = np.zeros(len(keys), bool)
        open_rows = np.arange(len(keys))
        while len(open_rows):
            open_rows = open_rows[places[open_rows] < len(entries)]
            candidates = entries[places[open_rows]]
            same_first = candidates["first"] == first[open_rows]
            same = same_first & (candidates["second"] == second[open_rows])
            found[open_rows[same]] = True
            open_rows = open_rows[same_first & ~same]
            places[open_rows] += 1
        return found, entries[places[found]]

    def _merge(self) -> None:
        """Sorts in what was inserted since the last look-up, all of it at once."""
        if not self._waiting:
            return
        added = np.concatenate(self._waiting)
        self._waiting = []
        added = added[np.argsort(added["first"], kind="stable")]
        self._entries = np.insert(self._entries, np.searchsorted(self._first, added["first"]), added)
        self._first = self._entries["first"].copy()


def _halves(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if keys.dtype != np.uint8 or keys.ndim != 2 or keys.shape[1] != KEY_BYTES:
        raise ValueError(f"keys should be uint8 of shape [rows, {KEY_BYTES}], not {keys.dtype} of shape {keys.shape}")
    halves = np.ascontiguousarray(keys).view("<u8")
    return halves[:, 0], halves[:, 1]
