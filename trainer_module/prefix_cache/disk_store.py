"""Activations on disk, shared by splits and, in a folder that is kept, by runs."""

import numpy as np

from trainer_module.prefix_cache.segments import Locations, SegmentStore


class DiskStore:
    """One split's view of a `SegmentStore`; see `ActivationStore`.

    Args:
        directory: Of the prefix.
        keys: Of all rows of the split, `[rows, 16]` uint8; see `digests.row_keys`.
        positions: The rows that will be stored.
        width: Numbers per vector.
        dtype: float32, or uint16 for the bits of bfloat16 or float16.
    """

    def __init__(self, directory: str, keys: np.ndarray, positions: np.ndarray, width: int, dtype: np.dtype) -> None:
        self._segments = SegmentStore(directory, width, dtype)
        self._keys = keys
        self._positions = positions
        self._width = width
        self._dtype = dtype
        self._places = np.full(len(keys), -1, np.int64)
        self._locations: Locations | None = None

    def has(self, positions: np.ndarray) -> np.ndarray:
        return self._segments.find(self._keys[positions])

    def put(self, positions: np.ndarray, lengths: np.ndarray, values: np.ndarray) -> None:
        self._segments.add(self._keys[positions], lengths, values)

    def finish(self) -> None:
        self._segments.flush()
        self._locations = self._segments.locate(self._keys[self._positions])
        self._places[self._positions] = np.arange(len(self._positions))

    def gather(self, positions: np.ndarray, longest: int) -> np.ndarray:
        assert self._locations is not None
        out = np.empty([len(positions), longest, self._width], self._dtype)
        self._segments.gather(self._locations, self._places[positions], out)
        return out

    def close(self) -> None:
        self._segments.close()
