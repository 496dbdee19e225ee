"""Activations in memory."""

import numpy as np


class MemoryStore:
    """One array of all rows' vectors end to end; see `ActivationStore`.

    Args:
        lengths: Vectors of each row of the split, `[rows]`.
        positions: The rows that will be stored.
        width: Numbers per vector.
        dtype: Of them.
    """

    def __init__(self, lengths: np.ndarray, positions: np.ndarray, width: int, dtype: np.dtype) -> None:
        self._lengths = lengths
        self._starts = np.full(len(lengths), -1, np.int64)
        ends = np.cumsum(lengths[positions], dtype=np.int64)
        self._starts[positions] = ends - lengths[positions]
        self._stored = np.zeros(len(lengths), bool)
        self._values = np.empty([int(ends[-1]) if len(ends) else 0, width], dtype)

    def has(self, positions: np.ndarray) -> np.ndarray:
        return self._stored[positions]

    def put(self, positions: np.ndarray, lengths: np.ndarray, values: np.ndarray) -> None:
        self._values[_spread(self._starts[positions], lengths)] = values
        self._stored[positions] = True

    def finish(self) -> None:
        return

    def gather(self, positions: np.ndarray, longest: int) -> np.ndarray:
        lengths = self._lengths[positions]
        out = np.zeros([len(positions), longest, self._values.shape[1]], self._values.dtype)
        out[np.arange(longest) < lengths[:, None]] = self._values[_spread(self._starts[positions], lengths)]
        return out

    def close(self) -> None:
        self._values = np.empty([0, 0], self._values.dtype)


def _spread(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """`starts[i]`, `starts[i] + 1`, … for `lengths[i]` numbers, row after row."""
    firsts = np.cumsum(lengths) - lengths
    return np.repeat(starts - firsts, lengths) + np.arange(int(lengths.sum()))
